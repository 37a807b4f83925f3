"""What is written down about a switch that takes its time: asked for, in progress, ended."""

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, Self

from pydantic import Field

from tidegate.gate.clock import utc_now
from tidegate.gate.document import Document
from tidegate.spec.traffic import SwitchStrategy
from tidegate.traffic.outcome import Judgement
from tidegate.traffic.plan import Stage
from tidegate.traffic.routes import ServiceRoutes

Kind = Literal["shift", "bake", "final"]


class Ending(StrEnum):
    """How a switch ended. After all but ADVANCED and SUPERSEDED the former routes are back."""

    ADVANCED = "advanced"
    TURNED_BACK = "turnedBack"
    CANCELLED = "cancelled"
    LEASE_LOST = "leaseLost"
    SUPERSEDED = "superseded"


State = Literal[
    "running",
    "draining",
    "turningBack",
    "advanced",
    "turnedBack",
    "cancelled",
    "leaseLost",
    "superseded",
]


class SwitchRequest(Document):
    """RUN_DIR/request.json: everything the conductor needs, decided when it was submitted.

    `from` is the same as `to` when no revision loses traffic: there was none, or other things of
    the routes change. With `routes_before` None there are no routes yet.
    """

    service: str
    run: int = Field(ge=1)
    from_revision: str = Field(alias="from", description="Revision that takes the traffic now.")
    to_revision: str = Field(alias="to", description="Revision that is to take all of it.")
    routes_before: ServiceRoutes | None
    stages: tuple[Stage, ...] = Field(min_length=1)
    strategy: SwitchStrategy
    drain_seconds: float
    lease_seconds: float
    state_folder: str | None = Field(default=None, description="Of the embedded platform.")
    retry_reason: str | None = None

    @property
    def seed(self) -> int:
        """For the judges' resampling: the same run judges the same numbers alike."""
        return int(self.digest.removeprefix("sha256:")[:8], 16)

    def asks_for(self, routes: ServiceRoutes, strategy: SwitchStrategy) -> bool:
        """Whether this run ends with these routes and goes there in this way."""
        return self.stages[-1].routes == routes and self.strategy == strategy


class ConditionRecord(Document):
    """One condition so far; a bound that is not known is None.

    `errorRate` is a difference of shares, a quantile a ratio; `outcome` is a StageOutcome.
    """

    name: str
    estimate: float | None
    lower: float | None
    upper: float | None
    limit: float
    outcome: str


class JudgementRecord(Document):
    """What users of both revisions met in one stage, and what it says."""

    outcome: str
    reason: str
    conditions: tuple[ConditionRecord, ...] = ()
    candidate_requests: int = 0
    reference_requests: int = 0
    candidate_errors: int = 0
    reference_errors: int = 0

    @classmethod
    def of(cls, judgement: Judgement) -> Self:
        return cls(
            outcome=str(judgement.outcome),
            reason=judgement.reason,
            conditions=tuple(
                ConditionRecord(
                    name=each.name,
                    estimate=_finite(each.estimate),
                    lower=_finite(each.lower),
                    upper=_finite(each.upper),
                    limit=each.limit,
                    outcome=str(each.outcome),
                )
                for each in judgement.conditions
            ),
            candidate_requests=judgement.candidate_requests,
            reference_requests=judgement.reference_requests,
            candidate_errors=judgement.candidate_errors,
            reference_errors=judgement.reference_errors,
        )


class StageProgress(Document):
    """Where a switch is. `index` counts from 1; `limit_seconds` is when doubt turns back."""

    index: int = Field(ge=1)
    of: int
    kind: Kind
    weights: Mapping[str, int]
    started_at: str
    minimum_seconds: float
    limit_seconds: float
    seconds_in: float


class SwitchProgress(Document):
    """RUN_DIR/progress.json, replaced about once a second; `message` says it in one line."""

    service: str
    run: int
    from_revision: str = Field(alias="from")
    to_revision: str = Field(alias="to")
    state: State
    stage: StageProgress | None
    judgement: JudgementRecord | None
    candidate_requests: int = Field(default=0, description="Users' requests it met so far.")
    candidate_errors: int = 0
    message: str


class DrainRecord(Document):
    """How a revision ended what it had begun: what was still open after `seconds`, and cut or
    left to end by itself, by protocol."""

    revision: str
    seconds: float
    open_requests: Mapping[str, int]


class Decision(Document):
    """RUN_DIR/decision.json: the switch goes back. Written before anything is moved, so that a
    conductor that is killed in between goes on going back."""

    ending: Ending
    reason: str
    was_shown: bool = Field(description="Shown on users' requests; doubt or no data is not.")
    stage: int = Field(ge=1)
    judgement: JudgementRecord | None = None


class SwitchOutcome(Document):
    """RUN_DIR/outcome.json, the last file written."""

    service: str
    run: int
    from_revision: str = Field(alias="from")
    to_revision: str = Field(alias="to")
    ending: Ending
    reason: str
    was_shown: bool
    stage: int
    of: int
    judgement: JudgementRecord | None
    candidate_requests: int = Field(description="Users' requests that met the new revision.")
    candidate_errors: int
    drained: DrainRecord | None
    at: str

    @classmethod
    def untouched(cls, request: SwitchRequest, ending: Ending, reason: str) -> Self:
        """Of a run that has moved nothing."""
        return cls(
            service=request.service,
            run=request.run,
            from_revision=request.from_revision,
            to_revision=request.to_revision,
            ending=ending,
            reason=reason,
            was_shown=False,
            stage=1,
            of=len(request.stages),
            judgement=None,
            candidate_requests=0,
            candidate_errors=0,
            drained=None,
            at=utc_now(),
        )


class Override(Document):
    """override.json: somebody moved the traffic past the stack file, which has to follow."""

    service: str
    revision: str
    at: str
    by: str


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
