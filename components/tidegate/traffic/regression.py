"""Whether a revision is worse for users than another one, condition by condition."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tidegate.gate.comparison import Comparison, RatioBounds
from tidegate.gate.histogram import bin_centres
from tidegate.gate.profile_rules import quantile_share
from tidegate.gate.statistics import (
    ShareBounds,
    correlation_measured,
    lower_bound,
    share_bounds,
    upper_bound,
)
from tidegate.gate.tally import ComparisonCounts, ShareCounts
from tidegate.traffic.outcome import ConditionJudgement, StageOutcome

ERROR_RATE = "errorRate"
FEW_FAILURES = 20
GROSS_SHARE = 0.5
"""From here on a revision is broken rather than worse."""
GROSS_WINDOW_SECONDS = 10


@dataclass(frozen=True)
class Levels:
    """Confidences of the one-sided bounds: of the upper one that shows a condition good, and of
    the lower one that shows it broken."""

    advance: float
    turn_back: float


def error_difference(
    candidate: ShareCounts, reference: ShareCounts, limit: float, levels: Levels
) -> ConditionJudgement:
    """The difference of the shares of failed requests.

    Clopper-Pearson bounds of either share with its design effect, combined by squares (MOVER;
    Zou and Donner 2008, Newcombe 1998 method 10):
    d ± sqrt((p1 - bound1)² + (bound2 - p2)²).
    """
    if not (correlation_measured(candidate) and correlation_measured(reference)):
        return ConditionJudgement(ERROR_RATE, None, None, None, limit, StageOutcome.UNDECIDED)
    new = _error_bounds(candidate, levels.advance, levels.turn_back)
    old = _error_bounds(reference, levels.turn_back, levels.advance)
    new_share, old_share = _share(new), _share(old)
    difference = new_share - old_share
    lower = difference - math.hypot(new_share - new.lower, old.upper - old_share)
    upper = difference + math.hypot(new.upper - new_share, old_share - old.lower)
    return ConditionJudgement(
        ERROR_RATE, difference, lower, upper, limit, _against(lower, upper, limit)
    )


def latency_ratios(
    candidate: ComparisonCounts,
    reference: ComparisonCounts,
    margins: Mapping[str, float],
    levels: Levels,
    seed: int,
    may_advance: bool,
) -> tuple[ConditionJudgement, ...]:
    """The ratio of each quantile, on blocks of the same moments; failures are the slowest.

    Bounds take a bootstrap, so they are left out where they could not decide anything: without
    `may_advance`, while no ratio is beyond its margin. The servers need the processor as well.
    """
    if not margins:
        return ()
    shares = tuple(quantile_share(name) for name in margins)
    ratios = {
        name: _quantile(candidate, share) / _quantile(reference, share)
        for name, share in zip(margins, shares, strict=True)
    }
    if not may_advance and not any(ratios[name] > 1.0 + margins[name] for name in margins):
        return tuple(
            ConditionJudgement(
                name, _finite(ratios[name]), None, None, 1.0 + margin, StageOutcome.UNDECIDED
            )
            for name, margin in margins.items()
        )
    compared = Comparison(candidate, reference, seed)
    bounds = compared.bounds(shares, levels.advance, levels.turn_back)
    return tuple(
        _ratio(name, 1.0 + margin, bound)
        for (name, margin), bound in zip(margins.items(), bounds, strict=True)
    )


def fails_grossly(
    candidate: ShareCounts, reference: ShareCounts, limit: float, confidence: float
) -> bool:
    """Whether the candidate fails at least GROSS_SHARE more often, on a few seconds.

    Too few blocks to measure how requests are correlated, so its worst second is left out: one
    stall or one lost connection turns nothing back. The rest counts as independent, at a
    confidence close to 1.
    """
    if not candidate.requests.size or not int(reference.requests.sum()):
        return False
    worst = int(candidate.misses.argmax())
    requests = int(candidate.requests.sum()) - int(candidate.requests[worst])
    errors = int(candidate.misses.sum()) - int(candidate.misses[worst])
    others, other_errors = int(reference.requests.sum()), int(reference.misses.sum())
    if not requests or errors / requests - other_errors / others < GROSS_SHARE:
        return False
    each = 1.0 - (1.0 - confidence) / 2.0
    lower = lower_bound(errors, requests, each)
    return lower - upper_bound(other_errors, others, each) > limit


def _error_bounds(counts: ShareCounts, confidence: float, fail_confidence: float) -> ShareBounds:
    """As `share_bounds`. Of few failures the variance between blocks says nothing about their
    correlation; each run of neighbouring seconds with failures then counts as one event (the runs
    estimator of the extremal index; Smith and Weissman 1994).
    """
    requests, misses = int(counts.requests.sum()), int(counts.misses.sum())
    if misses >= FEW_FAILURES:
        return share_bounds(counts, confidence, fail_confidence)
    failing = np.diff(counts.misses > 0, prepend=False, append=False)
    effect = misses / (np.count_nonzero(failing) // 2) if misses else 1.0
    n, x = requests / effect, misses / effect
    return ShareBounds(
        misses=misses,
        requests=requests,
        design_effect=effect,
        lower=lower_bound(x, n, fail_confidence),
        upper=upper_bound(x, n, confidence),
    )


def _quantile(counts: ComparisonCounts, share: float) -> float:
    """In seconds; infinite where it falls on failed requests, NaN without requests."""
    total = int(counts.requests.sum())
    cumulated = np.cumsum(counts.answered.sum(axis=0, dtype=np.int64))
    found = int(np.searchsorted(cumulated, share * total - 1e-9))
    if not total:
        return math.nan
    return float(bin_centres()[found]) if found < cumulated.size else math.inf


def _ratio(name: str, limit: float, bounds: RatioBounds) -> ConditionJudgement:
    return ConditionJudgement(
        name,
        _finite(bounds.ratio),
        _finite(bounds.lower),
        _finite(bounds.upper),
        limit,
        _against(bounds.lower, bounds.upper, limit),
    )


def _share(bounds: ShareBounds) -> float:
    return bounds.misses / bounds.requests


def _against(lower: float, upper: float, limit: float) -> StageOutcome:
    if upper < limit:
        return StageOutcome.ADVANCE
    return StageOutcome.TURN_BACK if lower > limit else StageOutcome.UNDECIDED


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
