"""Bounds for shares of requests, with a correction for requests that are not independent.

Latencies of neighbouring requests are correlated: they share stalls and queues. The variance of
counts per block of time, relative to the binomial variance, measures by how much (the design
effect D); n correlated requests then carry the information of n/D independent ones.

D_B of a block length B leaves out what is correlated over more than B. Where correlation fades
with time, D_B = D(1 - c/B) for long blocks, so the two longest lengths tell D. It rests on few
blocks, so the bounds take Student's t for the normal distribution's quantile.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv, ndtr, stdtrit

from tidegate.gate.profile_rules import MINIMUM_BLOCKS
from tidegate.gate.tally import ShareCounts

BLOCK_SECONDS = (1, 2, 5, 10, 20, 60, 120, 300, 600, 1800, 3600)
"""A block length counts when the run has MINIMUM_BLOCKS of it: five minutes reach to 20 s, and
only an hour and more sees what drifts within minutes."""

CALIBRATION = 1.5
"""D is taken this much larger than measured: a run that happens to meet few of the rare bursts has
few misses and, for the same reason, a small D, so both err in one direction. Of simulated
five-minute runs whose p99 lay exactly on the SLO, with 1.2 up to 10.8% passed (blocks of a
recording of a busy machine), with 1.35 9.1%, with 1.5 7.9%."""


@dataclass(frozen=True)
class ShareBounds:
    """A share of misses with one-sided bounds, each at the given confidence."""

    misses: int
    requests: int
    design_effect: float
    lower: float
    upper: float
    blocks: int | None = None
    """On which the design effect was measured; see DesignEffect."""

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


def share_bounds(
    counts: ShareCounts, confidence: float, fail_confidence: float | None = None
) -> ShareBounds:
    """Bounds of the share of misses: the upper one at `confidence`, the lower one at
    `fail_confidence` (by default the same). With n = 0 nothing is known: 0 and 1.
    """
    requests, misses = int(counts.requests.sum()), int(counts.misses.sum())
    effect = design_effect(counts)
    fail_confidence = confidence if fail_confidence is None else fail_confidence
    n, x = requests / effect.value, misses / effect.value
    return ShareBounds(
        misses=misses,
        requests=requests,
        design_effect=effect.value,
        lower=lower_bound(x, n, effect.widened(fail_confidence)),
        upper=upper_bound(x, n, effect.widened(confidence)),
        blocks=effect.blocks,
    )


@dataclass(frozen=True)
class DesignEffect:
    """How many correlated requests carry the information of one independent request.

    `blocks` is the number of blocks it was measured on; None when nothing was to be measured.
    """

    value: float
    blocks: int | None

    def widened(self, confidence: float) -> float:
        """The normal confidence whose quantile is Student's t of `confidence`."""
        if self.blocks is None:
            return confidence
        return float(ndtr(stdtrit(self.blocks - 1, confidence)))


def design_effect(counts: ShareCounts) -> DesignEffect:
    """D = max(1, CALIBRATION · max(D_B, D_∞)) over block lengths B with MINIMUM_BLOCKS blocks.

    D_B = Σ(x_b - n_b·r)² / (n_b·r(1-r)) / (m-1) with x_b of n_b requests missed in block b of m
    and r the share of all; D_∞ = (B·D_B - A·D_A)/(B - A) for the two longest lengths A < B.
    1 when nothing or everything was missed.
    """
    requests, misses = int(counts.requests.sum()), int(counts.misses.sum())
    if not 0 < misses < requests:
        return DesignEffect(1.0, None)
    share = misses / requests
    end = int(np.flatnonzero(counts.requests)[-1]) + 1
    effects: list[tuple[int, float]] = []
    blocks: int | None = None
    for length in BLOCK_SECONDS:
        starts = np.arange(0, end, length)
        sizes = np.add.reduceat(counts.requests[:end], starts)
        missed = np.add.reduceat(counts.misses[:end], starts)[sizes > 0]
        sizes = sizes[sizes > 0]
        if sizes.size < MINIMUM_BLOCKS:
            break
        squares = (missed - sizes * share) ** 2 / (sizes * share * (1.0 - share))
        effects.append((length, float(squares.sum()) / (sizes.size - 1)))
        blocks = int(sizes.size)
    found = [effect for _, effect in effects]
    if len(effects) > 1:
        (shorter, effect_shorter), (longer, effect_longer) = effects[-2:]
        found.append((longer * effect_longer - shorter * effect_shorter) / (longer - shorter))
    return DesignEffect(max(1.0, CALIBRATION * max(found, default=0.0)), blocks)


def correlation_measured(counts: ShareCounts) -> bool:
    """Whether the run is long enough for at least one block length."""
    return int(np.count_nonzero(counts.requests)) >= MINIMUM_BLOCKS


def requests_to_pass(bounds: ShareBounds, limit: float, confidence: float) -> int | None:
    """How many requests in all would show the share below `limit`, if it stays as measured.

    None when the measured share itself is not below the limit.
    """
    share = bounds.misses / bounds.requests if bounds.requests else 0.0
    if share >= limit:
        return None
    low, high = 0, max(bounds.requests, 1)
    confidence = DesignEffect(bounds.design_effect, bounds.blocks).widened(confidence)

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


def attempt_confidence(confidence: float, attempt: int) -> float:
    """The confidence left to the k-th attempt: 1 - 3·alpha / 4^k with alpha = 1 - confidence.

    The parts 3/4, 3/16, 3/64, ... of alpha sum to alpha, so a release that misses its SLO passes
    with probability alpha at most, however often it is tried; nearly all of it is spent on the
    first try, which is the only one most releases need.
    """
    return 1.0 - 3.0 * (1.0 - confidence) / 4.0**attempt


def shared_confidence(confidence: float, tests: int) -> float:
    """The confidence of each of several tests that together err as seldom as one would:
    1 - alpha / tests (Bonferroni)."""
    return 1.0 - (1.0 - confidence) / tests
