"""Every condition of a profile against the samples of the first judged seconds."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tidegate.gate.comparison import Comparison, RatioBounds
from tidegate.gate.profile import Profile, quantile_share
from tidegate.gate.samples import BASELINE_ARM, CANDIDATE_ARM
from tidegate.gate.statistics import ShareBounds, share_bounds, shared_confidence
from tidegate.gate.tally import Tally
from tidegate.gate.verdict import ConditionBounds, Outcome


@dataclass(frozen=True)
class ShareCondition:
    """The share of requests over an SLO, or of failed ones, stays below its limit."""

    name: str
    kind: Literal["slo", "errorRate"]
    bounds: ShareBounds
    limit: float
    slo_milliseconds: float = math.inf

    @property
    def outcome(self) -> Outcome:
        return _against(self.bounds.lower, self.bounds.upper, self.limit)

    def record(self) -> ConditionBounds:
        share = self.bounds.misses / self.bounds.requests if self.bounds.requests else None
        return ConditionBounds(
            name=self.name,
            kind=self.kind,
            estimate=share,
            lower=self.bounds.lower,
            upper=self.bounds.upper,
            limit=self.limit,
            outcome=self.outcome,
        )


@dataclass(frozen=True)
class RatioCondition:
    """A quantile is slower than the baseline's by less than its margin."""

    name: str
    bounds: RatioBounds
    margin: float

    @property
    def limit(self) -> float:
        return 1.0 + self.margin

    @property
    def outcome(self) -> Outcome:
        return _against(self.bounds.lower, self.bounds.upper, self.limit)

    def record(self) -> ConditionBounds:
        return ConditionBounds(
            name=self.name,
            kind="comparison",
            estimate=finite(self.bounds.ratio),
            lower=finite(self.bounds.lower),
            upper=finite(self.bounds.upper),
            limit=self.limit,
            outcome=self.outcome,
        )


@dataclass(frozen=True)
class Conditions:
    """All of them at one moment. `comparison` is None without a baseline arm."""

    slos: tuple[ShareCondition, ...]
    error_rate: ShareCondition
    ratios: tuple[RatioCondition, ...]
    comparison: Comparison | None

    @property
    def all(self) -> tuple[ShareCondition | RatioCondition, ...]:
        return (self.error_rate, *self.slos, *self.ratios)

    def record(self) -> tuple[ConditionBounds, ...]:
        return tuple(condition.record() for condition in self.all)


@dataclass(frozen=True)
class Confidences:
    """PASS asks every condition at `to_pass`: all of them err together as seldom as one.
    FAIL needs one condition at one look, so each gets its part."""

    to_pass: float
    to_fail: float


def confidences(tally: Tally, profile: Profile, confidence: float) -> Confidences:
    compared = len(profile.comparison_margins) if tally.has_baseline else 0
    tests = len(profile.look_seconds) * (len(profile.slos) + 1 + compared)
    return Confidences(confidence, shared_confidence(confidence, tests))


def evaluate(
    tally: Tally, profile: Profile, levels: Confidences, seconds: float = math.inf
) -> Conditions:
    """The conditions on the first judged seconds; by default on all."""
    slos = tuple(
        ShareCondition(
            name=name,
            kind="slo",
            bounds=share_bounds(tally.over(name, seconds), levels.to_pass, levels.to_fail),
            limit=1.0 - quantile_share(name),
            slo_milliseconds=milliseconds,
        )
        for name, milliseconds in profile.slos.items()
    )
    errors = ShareCondition(
        name="errorRate",
        kind="errorRate",
        bounds=share_bounds(tally.errors(seconds), levels.to_pass, levels.to_fail),
        limit=profile.max_error_rate,
    )
    if not tally.has_baseline:
        return Conditions(slos, errors, (), None)
    comparison = Comparison(
        tally.comparison(CANDIDATE_ARM, seconds),
        tally.comparison(BASELINE_ARM, seconds),
        profile.seed,
    )
    return Conditions(slos, errors, tuple(_ratios(comparison, profile, levels)), comparison)


def _ratios(
    comparison: Comparison, profile: Profile, levels: Confidences
) -> Iterator[RatioCondition]:
    if not profile.comparison_margins:
        return
    shares = tuple(quantile_share(name) for name in profile.comparison_margins)
    bounds = comparison.bounds(shares, levels.to_pass, levels.to_fail)
    for (name, margin), bound in zip(profile.comparison_margins.items(), bounds, strict=True):
        yield RatioCondition(name=name, bounds=bound, margin=margin)


def finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _against(lower: float, upper: float, limit: float) -> Outcome:
    if upper < limit:
        return Outcome.PASS
    return Outcome.FAIL if lower > limit else Outcome.INCONCLUSIVE
