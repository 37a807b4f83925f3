"""What a judgement of a stage says. Free of numpy, for whoever only passes it on."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from tidegate.traffic.router import UserCounters


class StageOutcome(StrEnum):
    """Of a stage or of one condition: shown good, shown broken (or given up), not known yet."""

    ADVANCE = "advance"
    TURN_BACK = "turnBack"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class ConditionJudgement:
    """One condition at the latest look.

    `errorRate` is the new revision's share of failed requests minus the old one's; a quantile such
    as `p95` is the new revision's divided by the old one's. `lower` and `upper` are one-sided
    bounds; None where nothing can be said. The condition is shown broken when `lower` is above
    `limit`, and good when `upper` is below it.
    """

    name: str
    estimate: float | None
    lower: float | None
    upper: float | None
    limit: float
    outcome: StageOutcome


@dataclass(frozen=True)
class Judgement:
    """A stage so far. `reason` is one sentence with the numbers it rests on.

    `was_shown`: a TURN_BACK that rests on evidence against the revision; False for doubt and for
    too few requests.
    """

    outcome: StageOutcome
    reason: str
    conditions: tuple[ConditionJudgement, ...]
    candidate_requests: int
    reference_requests: int
    candidate_errors: int
    reference_errors: int
    was_shown: bool = False


class Judge(Protocol):
    """Judges one stage from what users of both revisions meet meanwhile."""

    def add(self, seconds: float, candidate: UserCounters, reference: UserCounters) -> None:
        """Take the counters of both revisions as they are `seconds` after the stage began.

        Once a second is meant. The first call is the origin. Numbers that shrink say that the
        router restarted: what it counts from then on is added to what was counted before.
        """

    def judge(self) -> Judgement:
        """The judgement of everything added so far; once it is decided it stays."""
