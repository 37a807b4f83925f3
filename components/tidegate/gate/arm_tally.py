"""Counts of one arm, per second and per block of judged time, and of rows that cannot be."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegate.gate.histogram import (
    BlockHistogram,
    CountArray,
    Histogram,
    IndexArray,
    bin_of,
    grown,
)
from tidegate.gate.profile import Profile
from tidegate.gate.samples import ErrorKind, Samples

_CLOCK_TOLERANCE_SECONDS = 1e-6
"""Times that were added and subtracted differ by rounding."""


class ArmTally:
    """One arm. Arrays per second begin with the judged time."""

    def __init__(self, profile: Profile, judged_from: float, block_seconds: float) -> None:
        seconds = math.ceil(profile.duration_seconds) + 1
        self._slos = {name: slo / 1000.0 for name, slo in profile.slos.items()}
        self._judged_from = judged_from
        self._block_seconds = block_seconds
        self.planned = self.sent = self.done = self.errored = self.failed = 0
        self.kinds: CountArray = np.zeros(len(ErrorKind), np.int64)
        self.revisions: CountArray = np.zeros(129, np.int64)
        self.requests: CountArray = np.zeros(seconds, np.int64)
        self.errors: CountArray = np.zeros(seconds, np.int64)
        self.over: dict[str, CountArray] = {
            name: np.zeros(seconds, np.int64) for name in self._slos
        }
        blocks = math.ceil(profile.duration_seconds / block_seconds) + 1
        self.block_requests: CountArray = np.zeros(blocks, np.int64)
        self.latency = Histogram()
        self.service = BlockHistogram(blocks)

    def add(self, samples: Samples) -> None:
        started = ~np.isnan(samples.sent)
        failed = started & ~samples.ok
        self.planned += len(samples)
        self.sent += int(np.count_nonzero(started))
        self.done += int(np.count_nonzero(~np.isnan(samples.done)))
        self.errored += int(np.count_nonzero(failed))
        self.kinds += np.bincount(samples.kind[failed], minlength=self.kinds.size)
        self.revisions += np.bincount(
            samples.revision[samples.ok].astype(np.int64) + 1, minlength=self.revisions.size
        )
        judged = samples.intended >= self._judged_from
        self._add_judged(samples if judged.all() else samples.where(judged))

    def _add_judged(self, samples: Samples) -> None:
        if not len(samples):
            return
        elapsed = samples.intended - self._judged_from
        second = elapsed.astype(np.int64)
        self._grow(int(second.max()) + 1)
        right = samples.ok & ~np.isnan(samples.done) & ~np.isnan(samples.sent)
        latency = samples.done[right] - samples.intended[right]
        self.requests += self._per_second(second)
        self.errors += self._per_second(second[~right])
        self.failed += len(samples) - latency.size
        right_second = second[right]
        for name, slo in self._slos.items():
            self.over[name] += self._per_second(right_second[latency > slo])
            self.over[name] += self._per_second(second[~right])
        latency = np.maximum(latency, 0.0)
        self.latency.add(latency, bin_of(latency))
        block = (elapsed / self._block_seconds).astype(np.int64)
        self.block_requests = _added(self.block_requests, block)
        service = np.maximum(samples.done[right] - samples.sent[right], 0.0)
        self.service.add(block[right], bin_of(service))

    def _per_second(self, second: IndexArray) -> CountArray:
        return np.bincount(second, minlength=self.requests.size)

    def _grow(self, seconds: int) -> None:
        self.requests = grown(self.requests, seconds)
        self.errors = grown(self.errors, seconds)
        self.over = {name: grown(counts, seconds) for name, counts in self.over.items()}


@dataclass
class ProblemCounts:
    """Rows that contradict themselves, warm-up included."""

    done_without_sent: int = 0
    unfinished: int = 0
    backwards: int = 0
    other_version: int = 0

    def add(self, samples: Samples, started: npt.NDArray[np.bool_]) -> None:
        done = ~np.isnan(samples.done)
        self.done_without_sent += int(np.count_nonzero((done | samples.ok) & ~started))
        open_ended = started & ((~done & samples.ok) | (samples.kind == ErrorKind.UNFINISHED))
        self.unfinished += int(np.count_nonzero(open_ended))
        early = samples.sent - samples.intended < -_CLOCK_TOLERANCE_SECONDS
        earlier = samples.done - samples.sent < -_CLOCK_TOLERANCE_SECONDS
        self.backwards += int(np.count_nonzero(early | earlier))
        self.other_version += int(np.count_nonzero(samples.kind == ErrorKind.OTHER_VERSION))


def _added(counts: CountArray, index: IndexArray) -> CountArray:
    counts = grown(counts, int(index.max()) + 1)
    counts += np.bincount(index, minlength=counts.size)
    return counts
