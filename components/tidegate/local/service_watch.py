"""One service as it is this second: who takes the traffic, what users meet, where a switch is."""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.gate.clock import utc_now
from tidegate.local.stack import LocalStack
from tidegate.local.switch_runs import SwitchRun
from tidegate.traffic.router import RouterError, UserCounters
from tidegate.traffic.switch_documents import Override, SwitchOutcome, SwitchProgress
from tidegate.traffic.user_window import UserWindow, user_window

WINDOW_SECONDS = 10.0


@dataclass(frozen=True)
class RevisionView:
    """A routed revision and what its users met in the window; None before the second look."""

    revision: str
    weight: int
    healthy: bool
    window: UserWindow | None


@dataclass(frozen=True)
class ServiceView:
    """One look. `problem` says why the gateway tells nothing."""

    at: str
    service: str
    revisions: Sequence[RevisionView]
    problem: str | None
    progress: SwitchProgress | None
    outcome: SwitchOutcome | None
    override: Override | None


class ServiceWatch:
    """Looks at a service again and again, and keeps the looks of the last WINDOW_SECONDS.

    A switch that is under way at the first look, or begins later, is followed to its outcome.
    """

    def __init__(self, stack: LocalStack, service: str) -> None:
        self._stack = stack
        self._service = service
        self._looks: deque[tuple[float, dict[str, UserCounters]]] = deque()
        self._run: SwitchRun | None = None

    async def look(self) -> ServiceView:
        """What is so now. A gateway that does not answer is part of the answer."""
        self._run = self._stack.switches.unfinished(self._service) or self._run
        routes = self._stack.recorded_routes(self._service)
        weights = dict(routes.weights) if routes is not None else {}
        problem = None if weights else f"{self._service} has no routes in this stack"
        revisions: list[RevisionView] = []
        try:
            revisions = await self._revisions(weights)
        except RouterError as error:
            problem = str(error)
        run = self._run
        return ServiceView(
            at=utc_now(),
            service=self._service,
            revisions=revisions,
            problem=problem,
            progress=run.progress if run is not None else None,
            outcome=run.outcome if run is not None else None,
            override=self._stack.switches.folder(self._service).override(),
        )

    async def _revisions(self, weights: dict[str, int]) -> list[RevisionView]:
        if not weights:
            return []
        router = self._stack.router()
        counters = {each: await router.user_counters(each) for each in weights}
        healthy = {each: await router.is_healthy(each) for each in weights}
        now = time.monotonic()
        self._looks.append((now, counters))
        # One look older than the window stays, or there would be nothing to compare with.
        while len(self._looks) > 2 and now - self._looks[1][0] >= WINDOW_SECONDS:
            self._looks.popleft()
        return [
            RevisionView(each, weights[each], healthy[each], self._window(each, now))
            for each in sorted(weights, key=lambda name: (-weights[name], name))
        ]

    def _window(self, revision: str, now: float) -> UserWindow | None:
        """Since the oldest look that knows the revision and does not lie before a restart."""
        after = self._looks[-1][1][revision]
        known = [(at, seen[revision]) for at, seen in self._looks if revision in seen]
        restarted = [n for n, (_, seen) in enumerate(known) if seen.requests > after.requests]
        at, before = known[restarted[-1] + 1 if restarted else 0]
        return user_window(now - at, before, after) if at < now else None
