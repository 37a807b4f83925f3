"""Watches a server's own counters: whether it restarted, and how many requests users send."""

import time

from tidegate.gate.arms import Arm
from tidegate.gate.context import ServerComparison
from tidegate.gate.server_counters import counts_since, read_counts
from tidegate.gate.verdict import ServerCounts

_EVERY_SECONDS = 2.0
_SETTLE_SECONDS = 2.0


class ServerWatch:
    """One arm's server from the golden answers to the end of the load."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self._before = self._latest = self._read()
        self._looked = time.monotonic()
        self.restarted = False

    @property
    def is_watched(self) -> bool:
        return self._arm.metrics_target is not None

    def look(self) -> None:
        """Every two seconds: counters never fall unless the server began anew."""
        if not self.is_watched or time.monotonic() < self._looked + _EVERY_SECONDS:
            return
        self._looked = time.monotonic()
        self._compare(self._read())

    def users_rate(self) -> float | None:
        """Requests per second over two seconds in which the gate sends none; None if unknown."""
        first, started = self._read(), time.monotonic()
        time.sleep(_SETTLE_SECONDS)
        second, ended = self._read(), time.monotonic()
        if first is None or second is None:
            return None
        return max(0.0, (_handled(second) - _handled(first)) / (ended - started))

    def compare(self, client_sent: int, client_answered: int) -> ServerComparison | None:
        """The server's count of the whole run beside the client's; None when it has no counter."""
        if not self.is_watched:
            return None
        counts = None
        if self._before is not None:
            counts = counts_since(self._before, self._read, client_answered)
            self._compare(self._read())
        return ServerComparison(counts, client_sent, client_answered)

    def _compare(self, now: ServerCounts | None) -> None:
        if now is None:
            return
        if self._latest is not None and _handled(now) < _handled(self._latest):
            self.restarted = True
        self._latest = now

    def _read(self) -> ServerCounts | None:
        target, signature = self._arm.metrics_target, self._arm.signature
        if target is None:
            return None
        return read_counts(target, signature.name, signature.version)


def _handled(counts: ServerCounts) -> int:
    return counts.success + counts.failure
