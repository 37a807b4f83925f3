"""The gate's verdict: a frozen record that says what was decided, on what, and why."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from tidegate.gate.document import Document


class Outcome(StrEnum):
    """Only PASS promotes."""

    PASS = "PASS"  # noqa: S105 - an outcome, no password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"

    @property
    def exit_code(self) -> int:
        """0 PASS, 1 FAIL, 2 INCONCLUSIVE, 3 INVALID."""
        return list(Outcome).index(self)


class QuantileVerdict(Document):
    """One latency SLO. Shares are one-sided bounds of the share of requests over the SLO."""

    quantile: str
    slo_milliseconds: float
    estimate_milliseconds: float | None
    """None when the quantile falls on a request that failed."""
    over_slo: int
    requests: int
    design_effect: float
    effective_requests: float
    lower_share: float
    upper_share: float
    allowed_share: float
    outcome: Outcome


class ErrorRateVerdict(Document):
    """The error rate with its one-sided bounds."""

    errors: int
    requests: int
    design_effect: float
    effective_requests: float
    lower: float
    upper: float
    limit: float
    outcome: Outcome


class GoldenReport(Document):
    """Answers to the golden set before any load.

    `top1_agreement` is the share of answers whose label agrees, `max_deviation` the largest
    |answer - golden| over all floating-point outputs that could be compared.
    """

    examples: int
    compared: int
    disagreements: int
    unanswered: int
    other_version: int
    complete: bool
    top1_agreement: float | None
    max_deviation: float | None
    first_difference: str | None


class ServerCounts(Document):
    """Requests the server counted for this model and version between start and end."""

    success: int
    failure: int


class Counts(Document):
    """Requests of the run; `judged` leaves the warm-up out."""

    planned: int
    sent: int
    done: int
    errored: int
    judged: int
    by_protocol: dict[str, int]
    server: ServerCounts | None


class GeneratorHealth(Document):
    """How well the load generator kept its schedule."""

    lag_p99_milliseconds: float | None
    lag_limit_milliseconds: float
    cpu_share: float | None
    cpu_microseconds_per_request: float | None


class Subject(Document):
    """What was judged, in which environment, and the how-many-eth attempt it is."""

    environment: str
    service: str
    revision: str
    release: str
    request_digest: str
    digests: dict[str, str]
    attempt: int = Field(ge=1)


class Verdict(Document):
    """The decision with every number behind it."""

    outcome: Outcome
    summary: str
    reasons: tuple[str, ...]
    mend: tuple[str, ...]
    """INVALID: what to mend. INCONCLUSIVE: how much more is needed."""
    validity: Literal["full", "partial"]
    quantiles: tuple[QuantileVerdict, ...]
    error_rate: ErrorRateVerdict | None
    errors_by_kind: dict[str, int]
    first_errors: dict[str, str]
    golden: GoldenReport | None
    counts: Counts
    generator: GeneratorHealth
    stopped_early: str | None
    confidence: float
    profile: str
    profile_digest: str
    seed: int
    subject: Subject | None
    evidence_path: str | None
    started_at: str | None
    ended_at: str | None
