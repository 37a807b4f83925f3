"""Durations counted in bins of one relative width."""

import math
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tidegate.gate.samples import FloatArray

LOWEST_SECONDS = 1e-6
HIGHEST_SECONDS = 1e3
RELATIVE_WIDTH = 0.0025
_LOG_WIDTH = math.log1p(RELATIVE_WIDTH)
BINS = math.ceil(math.log(HIGHEST_SECONDS / LOWEST_SECONDS) / _LOG_WIDTH) + 2
"""The first bin holds everything below LOWEST_SECONDS, the last one everything above."""
_DENSE_BINS = 1 << 22

_Number = TypeVar("_Number", bound=np.generic)
CountArray = npt.NDArray[np.int64]
IndexArray = npt.NDArray[np.int64]


def bin_of(seconds: FloatArray) -> IndexArray:
    """The bin of each duration; durations are finite and not negative."""
    scaled = np.log(np.maximum(seconds, LOWEST_SECONDS / 2) / LOWEST_SECONDS)
    scaled /= _LOG_WIDTH
    bins: IndexArray = np.clip(np.floor(scaled) + 1, 0, BINS - 1).astype(np.int64)
    return bins


def bin_centres() -> FloatArray:
    """The middle of each bin on the logarithmic scale, in seconds."""
    centres: FloatArray = LOWEST_SECONDS * np.exp((np.arange(BINS) - 0.5) * _LOG_WIDTH)
    return centres


class Histogram:
    """Counts and sums per bin; quantiles are right to the width of a bin, and exact where all
    durations of a bin are equal."""

    def __init__(self) -> None:
        self.counts: CountArray = np.zeros(BINS, np.int64)
        self._sums: FloatArray = np.zeros(BINS)

    def add(self, seconds: FloatArray, bins: IndexArray) -> None:
        self.counts += np.bincount(bins, minlength=BINS)
        self._sums += np.bincount(bins, weights=seconds, minlength=BINS)

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    def quantile(self, share: float, beyond: int = 0) -> float:
        """The empirical quantile (inverse CDF) in seconds.

        `beyond` counts requests that failed, slower than any other: infinite where the quantile
        falls on them, NaN when there is nothing.
        """
        total = self.total + beyond
        if not total:
            return math.nan
        rank = max(math.ceil(share * total - 1e-9), 1)
        cumulated = np.cumsum(self.counts)
        if rank > cumulated[-1]:
            return math.inf
        found = int(np.searchsorted(cumulated, rank))
        return float(self._sums[found] / self.counts[found])


class BlockHistogram:
    """Counts per block of time and bin, as a matrix that grows with the blocks."""

    def __init__(self, blocks: int) -> None:
        self._counts = np.zeros((max(blocks, 1), BINS), np.uint32)

    def add(self, blocks: IndexArray, bins: IndexArray) -> None:
        if not blocks.size:
            return
        first, last = int(blocks.min()), int(blocks.max())
        self._counts = grown(self._counts, last + 1)
        width = (last - first + 1) * BINS
        cells = (blocks - first) * BINS + bins
        if width <= max(_DENSE_BINS, 8 * cells.size):
            added = np.bincount(cells, minlength=width).reshape(-1, BINS)
            self._counts[first : last + 1] += added.astype(np.uint32)
        else:
            np.add.at(self._counts.reshape(-1), first * BINS + cells, np.uint32(1))

    def rows(self, blocks: slice) -> npt.NDArray[np.uint32]:
        """Counts (blocks, BINS) of the blocks that were seen so far."""
        return self._counts[blocks]


def grown(array: npt.NDArray[_Number], rows: int) -> npt.NDArray[_Number]:
    """The array itself, or a longer one with zeros after its rows."""
    if rows <= array.shape[0]:
        return array
    longer = np.zeros((max(rows, 2 * array.shape[0]), *array.shape[1:]), array.dtype)
    longer[: array.shape[0]] = array
    return longer
