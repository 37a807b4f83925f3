"""What users of one revision met during a stage, second by second, from cumulative counters."""

import math

import numpy as np
import numpy.typing as npt

from tidegate.gate.histogram import BINS, CountArray, bin_of, grown
from tidegate.gate.tally import ComparisonCounts, ShareCounts
from tidegate.traffic.router import LatencyBin, UserCounters

MAX_BLOCKS = 96
"""From 48 to 96 blocks: enough for the bootstrap, and memory stays small however long a stage."""
STEP = 0.01
"""Durations are placed in steps of one percent, the width of the router's narrowest bins."""
_GOLDEN_RATIO = (math.sqrt(5.0) - 1.0) / 2.0

_Bin = tuple[float, float]


class UserSample:
    """Requests and failures per second; latencies per block of 1, 2, 4, ... seconds.

    A block doubles its length whenever there would be more than MAX_BLOCKS.
    """

    def __init__(self) -> None:
        self.block_seconds = 1
        self.requests = self.errors = 0
        self._seen: tuple[float, UserCounters] | None = None
        self._seen_bins: dict[_Bin, int] = {}
        self._requests: CountArray = np.zeros(64, np.int64)
        self._errors: CountArray = np.zeros(64, np.int64)
        self._answered: npt.NDArray[np.uint32] = np.zeros((MAX_BLOCKS, BINS), np.uint32)
        self._timed: CountArray = np.zeros(MAX_BLOCKS, np.int64)
        self._placed = 0
        self._end = 0

    def restart(self) -> None:
        """The next counters are an origin; what was counted before stays."""
        self._seen = None

    def continues(self, counters: UserCounters) -> bool:
        """Whether these counters can have grown out of the ones before."""
        if self._seen is None:
            return True
        before = self._seen[1]
        if counters.requests < before.requests or counters.errors < before.errors:
            return False
        now = {_place(each): each.count for each in counters.latency}
        return all(now.get(place, 0) >= count for place, count in self._seen_bins.items())

    def add(self, seconds: float, counters: UserCounters) -> None:
        """Count what was added since the counters before, at the moment between both."""
        before, self._seen = self._seen, (seconds, counters)
        before_bins = self._seen_bins
        self._seen_bins = {_place(each): each.count for each in counters.latency}
        if before is None or seconds <= before[0]:
            return
        moment = int((before[0] + seconds) / 2.0)
        self._end = max(self._end, moment + 1)
        self._requests = grown(self._requests, moment + 1)
        self._errors = grown(self._errors, moment + 1)
        requests = counters.requests - before[1].requests
        errors = counters.errors - before[1].errors
        self.requests, self.errors = self.requests + requests, self.errors + errors
        self._requests[moment] += requests
        self._errors[moment] += errors
        while moment // self.block_seconds >= MAX_BLOCKS:
            self._merge_blocks()
        block = moment // self.block_seconds
        durations = self._spread(counters.latency, before_bins)
        self._answered[block] += np.bincount(bin_of(durations), minlength=BINS).astype(np.uint32)
        # Streams have no latency, and it may be reported a moment later than its request.
        self._timed[block] += durations.size + errors

    @property
    def seconds(self) -> int:
        return self._end

    def failures(self, last_seconds: int | None = None) -> ShareCounts:
        """Requests and failed ones per second; of the last seconds only, or of all."""
        first = 0 if last_seconds is None else max(0, self._end - last_seconds)
        window = slice(first, self._end)
        return ShareCounts(self._requests[window], self._errors[window])

    def latencies(self) -> ComparisonCounts:
        """Answers per block and bin, and per block the requests that have a latency or failed."""
        blocks = -(-self._end // self.block_seconds)
        return ComparisonCounts(self._answered[:blocks], self._timed[:blocks])

    def _merge_blocks(self) -> None:
        self.block_seconds *= 2
        half = MAX_BLOCKS // 2
        merged = self._answered[0::2] + self._answered[1::2]
        self._answered[:half], self._answered[half:] = merged, 0
        timed = self._timed[0::2] + self._timed[1::2]
        self._timed[:half], self._timed[half:] = timed, 0

    def _spread(
        self, latency: tuple[LatencyBin, ...], before: dict[_Bin, int]
    ) -> npt.NDArray[np.float64]:
        """A duration for each added request, evenly over its bin: multiples of the golden ratio.

        The router's bins are up to a tenth wide, nearly as wide as what is to be told apart.
        """
        added = [
            (*_place(each), each.count - before.get(_place(each), 0))
            for each in latency
            if each.count != before.get(_place(each), 0)
        ]
        if not added:
            return np.empty(0)
        bounds = np.array(added)
        lower, width = np.repeat(bounds[:, :2], bounds[:, 2].astype(np.int64), axis=0).T
        steps = np.maximum(np.round(width / np.maximum(lower, width) / STEP), 1.0)
        order = np.arange(self._placed, self._placed + lower.size)
        self._placed += lower.size
        place = (np.floor(order * _GOLDEN_RATIO % 1.0 * steps) + 0.5) / steps
        spread: npt.NDArray[np.float64] = lower + width * place
        return spread


def _place(each: LatencyBin) -> _Bin:
    return each.lower_seconds, each.width_seconds
