"""Watches servers' own counters: whether one restarted or left, and what users send."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from tidegate.gate.arms import Arm
from tidegate.gate.context import ServerComparison
from tidegate.gate.server_counters import counts_since, read_counts
from tidegate.gate.servers import servers_behind
from tidegate.gate.verdict import ServerCounts

_EVERY_SECONDS = 2.0
_SETTLE_SECONDS = 2.0
_Server = tuple[str, str]
"""Name and address: under a name that stays another one may answer elsewhere."""
_Counts = Mapping[_Server, ServerCounts]


class ServerWatch:
    """One arm's servers from the golden answers to the end of the load."""

    def __init__(self, arm: Arm, run_dir: Path) -> None:
        self._arm = arm
        self._run_dir = run_dir
        self._first = self._servers()
        self._came: set[_Server] = set()
        self._gone: set[_Server] = set()
        self._before = self._latest = self._read()
        self._looked = time.monotonic()
        self.restarted = False

    @property
    def is_watched(self) -> bool:
        return self._arm.metrics_target is not None

    @property
    def gone(self) -> tuple[str, ...]:
        """Servers that were there at the start and have left since."""
        return _names(self._gone)

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
        if first is None or second is None or first.keys() != second.keys():
            return None
        handled = _handled(_sum(second)) - _handled(_sum(first))
        return max(0.0, handled / (ended - started))

    def compare(self, client_sent: int, client_answered: int) -> ServerComparison | None:
        """The servers' count of the whole run beside the client's; None when they have no counter.

        It says nothing once a server came or went: what that one counted before or since is not
        known.
        """
        if not self.is_watched:
            return None
        counts = None
        if self._before is not None:
            counts = counts_since(_sum(self._before), self._read_sum, client_answered)
            self._compare(self._read())
        changes = [
            f"{', '.join(_names(which))} {verb} during the run"
            for which, verb in ((self._came, "came"), (self._gone, "went"))
            if which
        ]
        why_unusable = " and ".join(changes) or None
        return ServerComparison(counts, client_sent, client_answered, why_unusable)

    def _compare(self, now: _Counts | None) -> None:
        if now is None:
            return
        for server, counts in (self._latest or {}).items():
            if server in now and _handled(now[server]) < _handled(counts):
                self.restarted = True
        self._latest = now

    def _servers(self) -> frozenset[_Server]:
        target = self._arm.metrics_target
        if target is None:
            return frozenset()
        return frozenset(servers_behind(self._run_dir, target).items())

    def _read(self) -> _Counts | None:
        """None unless every server answers."""
        servers, signature = self._servers(), self._arm.signature
        self._came |= servers - self._first
        self._gone |= self._first - servers
        found: dict[_Server, ServerCounts] = {}
        for server in sorted(servers):
            counts = read_counts(server[1], signature.name, signature.version)
            if counts is None:
                return None
            found[server] = counts
        return found or None

    def _read_sum(self) -> ServerCounts | None:
        now = self._read()
        return None if now is None else _sum(now)


def _sum(counts: _Counts) -> ServerCounts:
    return ServerCounts(
        success=sum(each.success for each in counts.values()),
        failure=sum(each.failure for each in counts.values()),
    )


def _handled(counts: ServerCounts) -> int:
    return counts.success + counts.failure


def _names(servers: Iterable[_Server]) -> tuple[str, ...]:
    return tuple(sorted(name for name, _ in servers))
