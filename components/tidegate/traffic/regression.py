"""How much slower one revision is for users than another one."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tidegate.gate.comparison import Comparison, RatioBounds
from tidegate.gate.histogram import bin_centres
from tidegate.gate.profile_rules import quantile_share
from tidegate.gate.tally import ComparisonCounts
from tidegate.traffic.outcome import ConditionJudgement, StageOutcome


@dataclass(frozen=True)
class Levels:
    """Confidences of the one-sided bounds: of the upper one that shows a condition good, and of
    the lower one that shows it broken."""

    advance: float
    turn_back: float


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
        against(bounds.lower, bounds.upper, limit),
    )


def against(lower: float, upper: float, limit: float) -> StageOutcome:
    if upper < limit:
        return StageOutcome.ADVANCE
    return StageOutcome.TURN_BACK if lower > limit else StageOutcome.UNDECIDED


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
