"""A timer that is on time.

The event loop's own timers round up to the next millisecond; the kernel's timerfd wakes the loop
within some ten microseconds, without a loop that burns CPU while it waits.
"""

import ctypes
import os
from collections.abc import Callable
from typing import Any

import gevent

_CLOCK_MONOTONIC = 1
_NON_BLOCKING_CLOSE_ON_EXEC = os.O_NONBLOCK | os.O_CLOEXEC
_ABSOLUTE = 1
_READ = 1


class _TimeSpec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


class _TimerSpec(ctypes.Structure):
    _fields_ = [("interval", _TimeSpec), ("value", _TimeSpec)]


class PreciseTimer:
    """Calls back on the event loop at a moment of `time.perf_counter`, once per `set`."""

    def __init__(self, callback: Callable[[], None]) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._set_time: Any = libc.timerfd_settime
        self._file = libc.timerfd_create(_CLOCK_MONOTONIC, _NON_BLOCKING_CLOSE_ON_EXEC)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._spec = _TimerSpec()
        self._reference = ctypes.byref(self._spec)
        self._callback = callback
        self._watcher = gevent.get_hub().loop.io(self._file, _READ)
        self._watcher.start(self._fire)

    def set(self, moment: float) -> None:
        """Seconds on the clock of `time.perf_counter`; one that has passed fires at once."""
        seconds = int(moment)
        self._spec.value.seconds = seconds
        # A value of zero would disarm the timer.
        self._spec.value.nanoseconds = int((moment - seconds) * 1e9) | 1
        # Setting it also clears that it has expired, so it need not be read.
        self._set_time(self._file, _ABSOLUTE, self._reference, None)

    def close(self) -> None:
        self._watcher.stop()
        self._watcher.close()
        os.close(self._file)

    def _fire(self) -> None:
        self._spec.value.seconds = self._spec.value.nanoseconds = 0
        self._set_time(self._file, 0, self._reference, None)
        self._callback()
