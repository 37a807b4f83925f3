"""What a measurement of saturation is asked for, and what it writes down."""

from typing import Literal, Self

from pydantic import Field, model_validator

from tidegate.gate.document import Document
from tidegate.gate.profile import Profile
from tidegate.gate.request import Baseline, GateRequest
from tidegate.gate.verdict import Outcome
from tidegate.spec.errors import SpecError

LEAST_REQUESTS = 20
"""Of a probe: with fewer, its p95 is its slowest request."""
LEAST_ROUNDS = 3
_DEADLINE_FACTOR = 2.0

SideName = Literal["candidate", "baseline"]


class SaturationPlan(Document):
    """How saturation is looked for; rates are requests per second to one arm at a time.

    `step` is the factor between neighbouring rates, `margin` how much earlier than the baseline
    the candidate may saturate (0.15: at 85% of its rate). The limits end the measurement without
    a decision. Raises SpecError (inside pydantic's ValidationError) for values that cannot work.
    """

    rounds: int = 7
    margin: float = 0.15
    step: float = 1.1
    start_rate: float = 20.0
    max_rate: float = 2000.0
    probe_seconds: float = 3.0
    p95_milliseconds: float = 200.0
    confidence: float = 0.95
    max_requests: int = 500_000
    max_seconds: float = 1800.0
    seed: int = Field(default=20261122, ge=0)

    @model_validator(mode="after")
    def _can_decide(self) -> Self:
        if self.rounds < LEAST_ROUNDS:
            raise SpecError(
                "rounds",
                self.rounds,
                "so few say nothing about their noise",
                "3 or more, such as 7",
            )
        if not 0.0 < self.margin < 1.0:
            raise SpecError(
                "margin", self.margin, "it is no share of the baseline's rate", "such as 0.15"
            )
        if not 1.01 <= self.step <= 1.5:
            raise SpecError(
                "step", self.step, "it is too fine to end or too coarse to decide", "such as 1.1"
            )
        if not 0.5 <= self.confidence < 1.0:
            raise SpecError(
                "confidence", self.confidence, "it is not that of a one-sided bound", "such as 0.95"
            )
        if self.p95_milliseconds <= 0:
            raise SpecError(
                "p95Milliseconds", self.p95_milliseconds, "no answer takes that long", "such as 200"
            )
        if self.probe_seconds * self.start_rate < LEAST_REQUESTS:
            raise SpecError(
                "startRate",
                self.start_rate,
                f"a probe of {self.probe_seconds:g} s needs {LEAST_REQUESTS} requests",
                "a higher rate, or longer probes",
            )
        if self.max_rate <= self.start_rate:
            raise SpecError(
                "maxRate", self.max_rate, "it does not lie above startRate", "a higher rate"
            )
        return self

    @property
    def deadline_seconds(self) -> float:
        """Of one request. At twice what a server can take, a probe leaves as much work behind as
        it lasted; a shorter deadline would let it run into the next probe."""
        return _DEADLINE_FACTOR * self.probe_seconds + self.p95_milliseconds / 1000.0

    def profile(self, rate: float) -> Profile:
        """One probe as the generator's profile: evenly spaced requests and no warm-up. It is judged
        as it was measured, which takes no confidence."""
        return Profile(
            name="saturation-probe",
            description="one probe of a measurement of saturation",
            rate_per_second=rate,
            duration_seconds=self.probe_seconds,
            warm_up_seconds=0.0,
            deadline_seconds=self.deadline_seconds,
            slos={"p95": self.p95_milliseconds},
            max_error_rate=0.05,
            comparison_margins={},
            confidence=0.5,
            seed=self.seed,
            max_requests=self.max_requests,
            max_seconds=self.max_seconds,
        )


class SaturationRequest(Document):
    """OUT/request.json: both arms as a gate asks for them, and the plan."""

    gate: GateRequest
    plan: SaturationPlan

    @property
    def baseline(self) -> Baseline:
        """Raises SpecError without one."""
        if self.gate.baseline is None:
            raise SpecError("baseline", None, "saturation is judged as a ratio", "a baseline")
        return self.gate.baseline


class Probe(Document):
    """One arm at one rate. Round 0 is the coarse search before the rounds. `p95_milliseconds` is
    None when it falls on a failed request; `requests` include those of tries that were repeated
    because the generator was late."""

    round: int
    arm: SideName
    rate_per_second: float
    achieved_per_second: float
    p95_milliseconds: float | None
    requests: int
    errors: int
    saturated: bool


class Round(Document):
    """The rates per second at which both arms saturated in one round: the geometric means of the
    last rate that an arm took and the first that it did not."""

    candidate_per_second: float
    baseline_per_second: float

    @property
    def ratio(self) -> float:
        return self.candidate_per_second / self.baseline_per_second


class SaturationVerdict(Document):
    """OUT/saturation.json. `ratio` and its bounds are None when the measurement is incomplete."""

    outcome: Outcome
    summary: str
    mend: str | None
    ratio: float | None
    lower: float | None
    upper: float | None
    rounds: tuple[Round, ...]
    probes: tuple[Probe, ...]
    plan: SaturationPlan
    candidate: str
    baseline: str
    request_digest: str
    started_at: str
    ended_at: str
