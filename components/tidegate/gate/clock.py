"""Wall-clock times as they stand in files, and whether the clocks can be trusted."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType

_DRIFT = 0.001
"""A disciplined clock is slewed by 500 parts per million at most; twice that is no step."""

_CLOCKS: Mapping[str, Callable[[], float]] = MappingProxyType(
    {
        "wall": time.time,
        "boot": lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
        "raw": lambda: time.clock_gettime(time.CLOCK_MONOTONIC_RAW),
    }
)


def utc_now() -> str:
    """RFC 3339 in UTC with milliseconds, such as 2026-11-22T18:25:50.123Z."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class ClockWatch:
    """Compares the clock that samples are timed with to three others.

    A step of the wall clock, a suspended machine or a monotonic clock that was tampered with moves
    one of them away from the others.
    """

    def __init__(self, clocks: Mapping[str, Callable[[], float]] = _CLOCKS) -> None:
        self._clocks = clocks
        self._started = time.perf_counter()
        self._offsets = self._now()
        self.largest_step_seconds = 0.0

    def look(self) -> None:
        """To be called now and then; a step is found by the look after it."""
        allowed = _DRIFT * abs(time.perf_counter() - self._started)
        for name, offset in self._now().items():
            step = abs(offset - self._offsets[name]) - allowed
            self.largest_step_seconds = max(self.largest_step_seconds, step)

    def _now(self) -> dict[str, float]:
        return {name: clock() - time.perf_counter() for name, clock in self._clocks.items()}
