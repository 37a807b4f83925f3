"""How much more often users of one revision fail than those of another one."""

import math
from dataclasses import dataclass

import numpy as np

from tidegate.gate.profile_rules import MINIMUM_BLOCKS
from tidegate.gate.statistics import DesignEffect, lower_bound, upper_bound
from tidegate.gate.tally import ShareCounts
from tidegate.traffic.outcome import ConditionJudgement, StageOutcome
from tidegate.traffic.regression import Levels, against

ERROR_RATE = "errorRate"
FEW_FAILURES = 20
GROSS_SHARE = 0.5
"""From here on a revision is broken rather than worse."""
GROSS_WINDOW_SECONDS = 10
_BLOCKS = 48
_BLOCKS_PER_GROUP = (1, 2)


def error_difference(
    candidate: ShareCounts, reference: ShareCounts, limit: float, levels: Levels
) -> ConditionJudgement:
    """The difference of the shares of failed requests.

    Clopper-Pearson bounds of either share with a design effect, combined by squares (MOVER; Zou
    and Donner 2008, Newcombe 1998 method 10): d ± sqrt((p1 - bound1)² + (bound2 - p2)²).
    """
    if min(np.count_nonzero(each.requests) for each in (candidate, reference)) < MINIMUM_BLOCKS:
        return ConditionJudgement(ERROR_RATE, None, None, None, limit, StageOutcome.UNDECIDED)
    new, old = _Share.of(candidate), _Share.of(reference)
    effect = _difference_effect(candidate, reference)
    # Of few failures the variance between blocks says nothing.
    few = effect if new.misses >= FEW_FAILURES else _event_effect(candidate)
    few_old = effect if old.misses >= FEW_FAILURES else _event_effect(reference)
    difference = new.value - old.value
    lower = difference - math.hypot(
        new.value - new.lower(few, levels.turn_back),
        old.upper(few_old, levels.turn_back) - old.value,
    )
    upper = difference + math.hypot(
        new.upper(few, levels.advance) - new.value,
        old.value - old.lower(few_old, levels.advance),
    )
    return ConditionJudgement(
        ERROR_RATE, difference, lower, upper, limit, against(lower, upper, limit)
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


@dataclass(frozen=True)
class _Share:
    misses: int
    requests: int

    @classmethod
    def of(cls, counts: ShareCounts) -> "_Share":
        return cls(int(counts.misses.sum()), int(counts.requests.sum()))

    @property
    def value(self) -> float:
        return self.misses / self.requests

    def lower(self, effect: DesignEffect, confidence: float) -> float:
        n, x = self.requests / effect.value, self.misses / effect.value
        return lower_bound(x, n, effect.widened(confidence))

    def upper(self, effect: DesignEffect, confidence: float) -> float:
        n, x = self.requests / effect.value, self.misses / effect.value
        return upper_bound(x, n, effect.widened(confidence))


def _event_effect(counts: ShareCounts) -> DesignEffect:
    """Failures per event, which is a run of neighbouring seconds with failures.

    The runs estimator of the extremal index (Smith and Weissman 1994).
    """
    misses = int(counts.misses.sum())
    failing = np.diff(counts.misses > 0, prepend=False, append=False)
    events = int(np.count_nonzero(failing)) // 2
    return DesignEffect(misses / events if events else 1.0, None)


def _difference_effect(candidate: ShareCounts, reference: ShareCounts) -> DesignEffect:
    """How many times the variance of the difference exceeds that of independent requests.

    With e_b = (x1_b - n1_b·p1) / N1 - (x2_b - n2_b·p2) / N2 in block b of m:
    D = m/(m-1) · Σ e_b² / (p1·q1/N1 + p2·q2/N2). What disturbs both revisions at the same moment
    cancels. The larger of blocks of about a fiftieth of the time, and of pairs of them.
    """
    seconds = max(candidate.requests.size, reference.requests.size)
    deviations, variance = np.zeros(seconds), 0.0
    for sign, counts in ((1.0, candidate), (-1.0, reference)):
        total = _Share.of(counts)
        expected = counts.requests * total.value
        deviations[: expected.size] += sign * (counts.misses - expected) / total.requests
        variance += total.value * (1.0 - total.value) / total.requests
    found: list[tuple[float, int]] = []
    for size in _BLOCKS_PER_GROUP:
        sums = np.add.reduceat(deviations, np.arange(0, seconds, max(1, seconds // _BLOCKS) * size))
        if not variance or sums.size < MINIMUM_BLOCKS:
            break
        excess = float(np.square(sums).sum()) / variance * sums.size / (sums.size - 1)
        found.append((excess, int(sums.size)))
    effect, blocks = max(found, default=(1.0, None))
    return DesignEffect(max(1.0, effect), blocks)
