"""One service as it is this second: who takes the traffic, what users meet, where a switch is."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tidegate.gate.clock import utc_now
from tidegate.traffic.router import UserCounters
from tidegate.traffic.switch_documents import Override, SwitchOutcome, SwitchProgress
from tidegate.traffic.user_window import UserWindow, user_window

WINDOW_SECONDS = 10.0


@dataclass(frozen=True)
class RevisionView:
    """A routed revision and what its users met in the window; None when that is not known, and
    before the second look."""

    revision: str
    weight: int
    healthy: bool
    window: UserWindow | None


@dataclass(frozen=True)
class ServiceView:
    """One look. `problem` says why the platform tells nothing, or not all of it."""

    at: str
    service: str
    revisions: Sequence[RevisionView]
    problem: str | None
    progress: SwitchProgress | None
    outcome: SwitchOutcome | None
    override: Override | None


@dataclass(frozen=True)
class ServiceLook:
    """What a platform tells in one moment.

    `weights`: routes as recorded. `counters`: what users of a revision have met since the
    gateway's start; a revision of which that is not known is missing. `progress` and `outcome` are
    of the switch that is followed.
    """

    weights: Mapping[str, int] = field(default_factory=dict)
    healthy: Mapping[str, bool] = field(default_factory=dict)
    counters: Mapping[str, UserCounters] = field(default_factory=dict)
    problem: str | None = None
    progress: SwitchProgress | None = None
    outcome: SwitchOutcome | None = None
    override: Override | None = None


class ServiceLooks(Protocol):
    """Looks at one service of one platform.

    A switch that is under way at the first look, or begins later, is followed to its outcome.
    """

    async def look(self) -> ServiceLook:
        """What is so now. A platform that does not answer is part of the answer."""


class ServiceWatch:
    """Looks again and again, and keeps the looks of the last WINDOW_SECONDS."""

    def __init__(
        self, service: str, looks: ServiceLooks, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._service = service
        self._source = looks
        self._clock = clock
        self._looks: deque[tuple[float, Mapping[str, UserCounters]]] = deque()

    async def look(self) -> ServiceView:
        """What is so now, and what users met since the oldest look that is kept."""
        look = await self._source.look()
        self._keep(look.counters)
        weights = look.weights
        revisions = [
            RevisionView(
                revision, weights[revision], look.healthy[revision], self._window(revision)
            )
            for revision in sorted(weights, key=lambda name: (-weights[name], name))
            if revision in look.healthy
        ]
        problem = look.problem
        if problem is None and not weights:
            problem = f"{self._service} has no routes in this stack"
        return ServiceView(
            at=utc_now(),
            service=self._service,
            revisions=revisions,
            problem=problem,
            progress=look.progress,
            outcome=look.outcome,
            override=look.override,
        )

    def _keep(self, counters: Mapping[str, UserCounters]) -> None:
        if not counters:
            return
        now = self._clock()
        self._looks.append((now, counters))
        # One look older than the window stays, or there would be nothing to compare with.
        while len(self._looks) > 2 and now - self._looks[1][0] >= WINDOW_SECONDS:
            self._looks.popleft()

    def _window(self, revision: str) -> UserWindow | None:
        """Since the oldest look that knows the revision and does not lie before a restart."""
        known = [(at, seen[revision]) for at, seen in self._looks if revision in seen]
        if not known or known[-1][0] != self._looks[-1][0]:
            return None
        now, after = known[-1]
        restarted = [n for n, (_, seen) in enumerate(known) if seen.requests > after.requests]
        at, before = known[restarted[-1] + 1 if restarted else 0]
        return user_window(now - at, before, after) if at < now else None
