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
    wrong_values: int = 0
    """Those of the disagreements that are values beyond tolerance and nothing worse."""
    top1_examples: int = 0
    top1_agreeing: int = 0
    """Examples whose label could be compared, and those that agree over every protocol."""
    top1_lower: float | None = None
    top1_upper: float | None = None


class ServerCounts(Document):
    """Requests the server counted for this model and version between start and end."""

    success: int
    failure: int


class BaselineCounts(Document):
    """Requests to the baseline; `judged` leaves the warm-up out."""

    planned: int
    sent: int
    done: int
    errored: int
    judged: int


class Counts(Document):
    """Requests of the run, both arms together; `judged` is the candidate's without the warm-up."""

    planned: int
    sent: int
    done: int
    errored: int
    judged: int
    by_protocol: dict[str, int]
    server: ServerCounts | None
    baseline: BaselineCounts | None = None


class GeneratorHealth(Document):
    """How well the load generator kept its schedule."""

    lag_p99_milliseconds: float | None
    lag_limit_milliseconds: float
    cpu_share: float | None
    cpu_microseconds_per_request: float | None


class RatioVerdict(Document):
    """One quantile of the candidate over the baseline's, of done - sent.

    None stands for what is not finite: no data, or a quantile among failed requests.
    """

    quantile: str
    margin: float
    candidate_milliseconds: float | None
    baseline_milliseconds: float | None
    ratio: float | None
    lower: float | None
    upper: float | None
    outcome: Outcome


class ComparisonVerdict(Document):
    """The candidate beside the baseline, by a bootstrap over paired blocks of time."""

    baseline_revision: str | None
    why: str | None
    candidate_requests: int
    baseline_requests: int
    block_seconds: float
    blocks: int
    resamples: int
    quantiles: tuple[RatioVerdict, ...]
    outcome: Outcome | None
    """None when the profile asks for no comparison."""


class ConditionBounds(Document):
    """One condition at one look: a share against the allowed share (SLO, error rate), or a ratio
    against 1 + margin (comparison). None stands for what is not finite."""

    name: str
    kind: Literal["slo", "errorRate", "comparison"]
    estimate: float | None
    lower: float | None
    upper: float | None
    limit: float
    outcome: Outcome


class LookVerdict(Document):
    """What the first judged seconds show. Only the last look can PASS."""

    seconds: float
    requests: int
    confidence: float
    """Of the lower bound of each condition, which alone may FAIL."""
    outcome: Outcome
    reason: str
    conditions: tuple[ConditionBounds, ...]


class NeededTime(Document):
    """How much more load would probably decide; None when no amount would."""

    condition: str
    seconds: float | None


class ValidityCheck(Document):
    """One reason to believe the numbers, or not to."""

    name: str
    state: Literal["ok", "violated", "unknown"]
    detail: str


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
    judged_seconds: float = 0.0
    fail_confidence: float | None = None
    """Of each condition at each look, so that all of them together err as seldom as one."""
    comparison: ComparisonVerdict | None = None
    looks: tuple[LookVerdict, ...] = ()
    needed: tuple[NeededTime, ...] = ()
    checks: tuple[ValidityCheck, ...] = ()
    baseline_errors_by_kind: dict[str, int] = Field(default_factory=dict)
    report_path: str | None = None
    report_problem: str | None = None
    samples_path: str | None = None
    samples_problem: str | None = None
