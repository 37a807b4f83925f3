"""Bounds for shares of requests, with a correction for requests that are not independent.

Latencies of neighbouring requests are correlated: they share stalls and queues. The variance of
counts per block of time, relative to the binomial variance, measures by how much (the design
effect D); n correlated requests then carry the information of n/D independent ones.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

from tidegate.gate.samples import BoolArray, FloatArray

BLOCK_SECONDS = (1.0, 2.0, 5.0, 10.0, 20.0)
MINIMUM_BLOCKS = 12
"""Fewer blocks estimate a variance too poorly to be used."""


@dataclass(frozen=True)
class ShareBounds:
    """A share of misses with one-sided bounds, each at the given confidence."""

    misses: int
    requests: int
    design_effect: float
    lower: float
    upper: float

    @property
    def effective_requests(self) -> float:
        return self.requests / self.design_effect


def upper_bound(misses: float, requests: float, confidence: float) -> float:
    """One-sided Clopper-Pearson upper bound, BetaInv(c; X+1, N-X); real X and N are allowed."""
    if requests - misses <= 0:
        return 1.0
    return float(betaincinv(misses + 1.0, requests - misses, confidence))


def lower_bound(misses: float, requests: float, confidence: float) -> float:
    """One-sided Clopper-Pearson lower bound, BetaInv(1-c; X, N-X+1)."""
    if misses <= 0:
        return 0.0
    return float(betaincinv(misses, requests - misses + 1.0, 1.0 - confidence))


def share_bounds(missed: BoolArray, intended: FloatArray, confidence: float) -> ShareBounds:
    """Bounds of the share of `missed` requests, which were due at `intended` seconds.

    With n = 0 nothing is known and the bounds are 0 and 1.
    """
    requests, misses = int(missed.size), int(np.count_nonzero(missed))
    effect = design_effect(missed, intended)
    return ShareBounds(
        misses=misses,
        requests=requests,
        design_effect=effect,
        lower=lower_bound(misses / effect, requests / effect, confidence),
        upper=upper_bound(misses / effect, requests / effect, confidence),
    )


def design_effect(missed: BoolArray, intended: FloatArray) -> float:
    """D = max(1, max D_B) over block lengths B with at least MINIMUM_BLOCKS blocks.

    D_B = Σ(x_b - n_b·r)² / (n_b·r(1-r)) / (m-1) with x_b of n_b requests missed in block b of m
    and r the share of all. 1.0 when nothing or everything was missed.
    """
    if not missed.any() or missed.all():
        return 1.0
    share = float(missed.mean())
    elapsed = intended - intended.min()
    effects = [1.0]
    for seconds in BLOCK_SECONDS:
        block = (elapsed / seconds).astype(np.int64)
        sizes = np.bincount(block)
        counts = np.bincount(block, weights=missed)[sizes > 0]
        sizes = sizes[sizes > 0]
        if sizes.size < MINIMUM_BLOCKS:
            continue
        squares = (counts - sizes * share) ** 2 / (sizes * share * (1.0 - share))
        effects.append(float(squares.sum()) / (sizes.size - 1))
    return max(effects)


def correlation_measured(intended: FloatArray) -> bool:
    """Whether the run is long enough for at least one block length."""
    span = float(np.ptp(intended)) if intended.size else 0.0
    return span >= BLOCK_SECONDS[0] * (MINIMUM_BLOCKS - 1)


def requests_to_pass(bounds: ShareBounds, limit: float, confidence: float) -> int | None:
    """How many requests in all would show the share below `limit`, if it stays as measured.

    None when the measured share itself is not below the limit.
    """
    share = bounds.misses / bounds.requests if bounds.requests else 0.0
    if share >= limit:
        return None
    low, high = 0, max(bounds.requests, 1)

    def decides(requests: int) -> bool:
        effective = requests / bounds.design_effect
        return upper_bound(share * effective, effective, confidence) < limit

    while not decides(high):
        low, high = high, high * 2
        if high > 10**9:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high


def quantile_estimate(latency: FloatArray, share: float) -> float:
    """The empirical quantile (inverse CDF): infinite where requests failed, NaN for n = 0."""
    if not latency.size:
        return math.nan
    return float(np.sort(latency)[min(latency.size, math.ceil(share * latency.size)) - 1])


def attempt_confidence(confidence: float, attempt: int) -> float:
    """The confidence left to the k-th attempt: 1 - alpha / (k(k+1)) with alpha = 1 - confidence.

    The parts alpha/2, alpha/6, alpha/12, ... sum to alpha, so a release that misses its SLO
    passes with probability alpha at most, however often it is tried.
    """
    return 1.0 - (1.0 - confidence) / (attempt * (attempt + 1))
