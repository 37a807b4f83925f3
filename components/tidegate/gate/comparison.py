"""How much slower the candidate is than the baseline that ran beside it.

Both arms met the same moments of the machine, so blocks of time are resampled in pairs: what
slows both arms down cancels out of the ratio of their quantiles.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtrit

from tidegate.gate.histogram import RELATIVE_WIDTH, bin_centres
from tidegate.gate.profile_rules import MINIMUM_BLOCKS
from tidegate.gate.samples import FloatArray
from tidegate.gate.tally import ComparisonCounts

RESAMPLES = 1000
BLOCKS_PER_GROUP = (1, 2, 4)
"""Blocks are also resampled in groups of neighbours; the widest interval counts, because slow
phases outlast one block."""
CALIBRATION = 1.2
"""Intervals of log ratios are this much wider than the resamples say. With 1.1, 21 of 400 runs
resampled from a recording passed although their p99 lay exactly on its margin, where 20 are meant
to at most; with 1.2 it were 26 of 600."""
_FEWEST_TAIL_RESAMPLES = 10


@dataclass(frozen=True)
class RatioBounds:
    """Q_q(candidate) / Q_q(baseline) with one-sided bounds; quantiles in seconds.

    `upper` is infinite and `lower` 0 where nothing can be said.
    """

    share: float
    candidate: float
    baseline: float
    lower: float
    upper: float

    @property
    def ratio(self) -> float:
        if not (math.isfinite(self.candidate) and math.isfinite(self.baseline)):
            return math.nan
        return self.candidate / self.baseline if self.baseline else math.nan


class Comparison:
    """Both arms over the same blocks. Without MINIMUM_BLOCKS in common nothing can be said."""

    def __init__(self, candidate: ComparisonCounts, baseline: ComparisonCounts, seed: int) -> None:
        blocks = min(candidate.requests.size, baseline.requests.size)
        both = (candidate.requests[:blocks] > 0) & (baseline.requests[:blocks] > 0)
        self.blocks = int(np.count_nonzero(both))
        self._arms = [_Arm(arm, both) for arm in (candidate, baseline)]
        self._seed = seed

    @property
    def measurable(self) -> bool:
        return self.blocks >= MINIMUM_BLOCKS

    def bounds(
        self, shares: tuple[float, ...], confidence: float, fail_confidence: float
    ) -> tuple[RatioBounds, ...]:
        """The upper bound at `confidence`, the lower one at `fail_confidence`, for each quantile.

        Of a percentile bootstrap and a t interval with the bootstrap's standard error, the wider.
        """
        points = [[arm.quantile(share) for share in shares] for arm in self._arms]
        found = []
        replicates = self._replicates(shares) if self.measurable else []
        for at, share in enumerate(shares):
            candidate, baseline = points[0][at], points[1][at]
            lower, upper = 0.0, math.inf
            if replicates and math.isfinite(candidate) and math.isfinite(baseline):
                centre = math.log(candidate / baseline)
                ends = [
                    _interval(centre, logs[:, at], blocks, confidence, fail_confidence)
                    for blocks, logs in replicates
                ]
                # Durations are known to the width of a bin.
                lower = math.exp(min(low for low, _ in ends)) / (1.0 + RELATIVE_WIDTH)
                upper = math.exp(max(high for _, high in ends)) * (1.0 + RELATIVE_WIDTH)
            found.append(RatioBounds(share, candidate, baseline, lower, upper))
        return tuple(found)

    def _replicates(self, shares: tuple[float, ...]) -> list[tuple[int, FloatArray]]:
        """(blocks, log ratios of shape (RESAMPLES, shares)) for each size of group."""
        generator = np.random.default_rng([self._seed, self.blocks])
        found = []
        for size in BLOCKS_PER_GROUP:
            groups = -(-self.blocks // size)
            if groups < MINIMUM_BLOCKS:
                break
            draws = generator.multinomial(groups, np.full(groups, 1.0 / groups), RESAMPLES)
            weights = draws.astype(np.float32)
            candidate, baseline = (arm.resampled(weights, size, shares) for arm in self._arms)
            with np.errstate(invalid="ignore"):
                found.append((groups, candidate - baseline))
        return found


class _Arm:
    """Cumulated counts per block over the bins that are used."""

    def __init__(self, counts: ComparisonCounts, chosen: npt.NDArray[np.bool_]) -> None:
        answered = counts.answered[: chosen.size][chosen]
        self._requests = counts.requests[: chosen.size][chosen].astype(np.float32)
        used = np.flatnonzero(answered.any(axis=0))
        self._log_centres = np.append(np.log(bin_centres()[used]), math.inf)
        self._cumulated = np.cumsum(answered[:, used], axis=1, dtype=np.float32)

    def quantile(self, share: float) -> float:
        """Infinite where it falls on failed requests, NaN without requests."""
        total = float(self._requests.sum(dtype=np.float64))
        if not total:
            return math.nan
        cumulated = self._cumulated.sum(axis=0, dtype=np.float64)
        return math.exp(self._log_centres[int(np.sum(cumulated < share * total - 1e-9))])

    def resampled(
        self, weights: npt.NDArray[np.float32], size: int, shares: tuple[float, ...]
    ) -> FloatArray:
        """Log quantiles, shape (resamples, shares)."""
        starts = np.arange(0, self._requests.size, size)
        cumulated = weights @ np.add.reduceat(self._cumulated, starts, axis=0)
        totals = weights @ np.add.reduceat(self._requests, starts)
        below = [np.sum(cumulated < (share * totals)[:, None] - 1e-3, axis=1) for share in shares]
        logs: FloatArray = self._log_centres[np.stack(below, axis=1)]
        return logs


def _interval(
    centre: float, logs: FloatArray, blocks: int, confidence: float, fail_confidence: float
) -> tuple[float, float]:
    if not np.isfinite(logs).all():
        return -math.inf, math.inf
    error = CALIBRATION * float(np.std(logs, ddof=1)) * math.sqrt(blocks / (blocks - 1))
    lower = centre + float(stdtrit(blocks - 1, 1.0 - fail_confidence)) * error
    upper = centre + float(stdtrit(blocks - 1, confidence)) * error
    if (1.0 - fail_confidence) * RESAMPLES >= _FEWEST_TAIL_RESAMPLES:
        lower = min(lower, _stretched(centre, logs, blocks, 1.0 - fail_confidence))
    if (1.0 - confidence) * RESAMPLES >= _FEWEST_TAIL_RESAMPLES:
        upper = max(upper, _stretched(centre, logs, blocks, confidence))
    return lower, upper


def _stretched(centre: float, logs: FloatArray, blocks: int, level: float) -> float:
    """A percentile of the resamples, its distance stretched for the few blocks it rests on."""
    stretch = CALIBRATION * float(stdtrit(blocks - 1, level) / ndtri(level))
    distance = float(np.quantile(logs, level)) - centre
    return centre + distance * stretch * math.sqrt(blocks / (blocks - 1))
