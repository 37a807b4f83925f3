"""What users of both revisions met during a run, kept over restarts of the gateway."""

from collections import deque
from collections.abc import Sequence

from tidegate.traffic.conductor_parts import Snapshot
from tidegate.traffic.router import UserCounters

HISTORY_SECONDS = 60.0
"""So much of the former revision's past is kept to judge the time after the move."""


class CandidateTally:
    """How many of the users' requests met the candidate, and how many of them failed."""

    def __init__(self, requests: int = 0, errors: int = 0) -> None:
        self.requests = requests
        self.errors = errors
        self._last: UserCounters | None = None

    def add(self, counters: UserCounters) -> None:
        last = self._last
        if last is not None:
            restarted = counters.requests < last.requests
            self.requests += counters.requests - (0 if restarted else last.requests)
            self.errors += counters.errors - (0 if restarted else last.errors)
        self._last = counters


class History:
    """The last HISTORY_SECONDS of a revision's counters."""

    def __init__(self) -> None:
        self._snapshots: deque[Snapshot] = deque()

    def add(self, snapshot: Snapshot) -> None:
        self._snapshots.append(snapshot)
        while snapshot.seconds - self._snapshots[0].seconds > HISTORY_SECONDS:
            self._snapshots.popleft()

    def snapshots(self) -> Sequence[Snapshot]:
        return tuple(self._snapshots)
