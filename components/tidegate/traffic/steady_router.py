"""A router as a conductor uses it: silent moments are waited out, moves replace only its own."""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from tidegate.traffic.conductor_parts import Surroundings
from tidegate.traffic.router import Router, RouterError, RoutesChangedError, UserCounters
from tidegate.traffic.routes import ServiceRoutes

POLL_SECONDS = 0.2
PATIENCE_SECONDS = 30.0
"""So long the router may be silent: it is being restarted, or its machine is busy."""

T = TypeVar("T")


class StoppedError(Exception):
    """The switch is no longer wanted; `Surroundings.stop` says why."""


class SteadyRouter:
    """One service's routes. `in_force` is what they may be: what this run last set; None stands
    for no routes.

    Forward, every method raises StoppedError as soon as the switch is no longer wanted. Going
    back is stopped by nobody. Both raise RouterError after PATIENCE_SECONDS of silence.
    """

    def __init__(
        self,
        router: Router,
        service: str,
        in_force: Sequence[ServiceRoutes | None],
        surroundings: Surroundings,
        waiting: Callable[[str], None],
    ) -> None:
        self.plain = router
        self._service = service
        self._in_force: tuple[ServiceRoutes | None, ...] = tuple(in_force)
        self._around = surroundings
        self._waiting = waiting
        self._goes_back = False
        self._unhealthy_since: dict[str, float] = {}

    def go_back(self) -> None:
        """From now on nothing stops what is done."""
        self._goes_back = True

    async def move(self, routes: ServiceRoutes) -> None:
        """Replace what this run last set. Raises RoutesChangedError when that is gone."""
        await self._steadily(lambda: self._move(routes))

    async def withdraw(self) -> None:
        """Remove the service's routes."""
        await self._steadily(lambda: self.plain.withdraw(self._service))

    async def hold(self, routes: ServiceRoutes) -> None:
        """Make sure that the routes this run set are in force.

        Damaged files are written again. Raises RoutesChangedError when somebody set others.
        """
        await self._steadily(lambda: self._hold(routes))

    async def is_healthy(self, revision: str) -> bool:
        return await self._steadily(lambda: self.plain.is_healthy(revision))

    async def unhealthy_seconds(self, revision: str) -> float:
        """How long the revision has failed its health checks, as far as it was asked here."""
        now = self._around.clock()
        if await self.is_healthy(revision):
            self._unhealthy_since.pop(revision, None)
            return 0.0
        return now - self._unhealthy_since.setdefault(revision, now)

    async def user_counters(self, revision: str) -> UserCounters:
        return await self._steadily(lambda: self.plain.user_counters(revision))

    async def pause(self, seconds: float) -> None:
        """Sleep. Raises StoppedError as soon as the switch is no longer wanted."""
        until = self._around.clock() + seconds
        while (left := until - self._around.clock()) > 0:
            self._raise_if_stopped()
            await self._around.sleep(min(left, POLL_SECONDS))
        self._raise_if_stopped()

    async def _steadily(self, work: Callable[[], Awaitable[T]]) -> T:
        deadline = self._around.clock() + PATIENCE_SECONDS
        while True:
            self._raise_if_stopped()
            try:
                return await work()
            except RoutesChangedError:
                raise
            except RouterError as error:
                if self._around.clock() >= deadline:
                    raise
                self._waiting(f"waiting for the router: {error}")
            await self.pause(POLL_SECONDS)

    async def _move(self, routes: ServiceRoutes) -> None:
        try:
            await self._replace_any(self._in_force, routes)
        except RoutesChangedError:
            raise
        except RouterError:
            # They may be written all the same: the answer was lost, or what had to follow failed.
            if routes not in self._in_force:
                self._in_force = (*self._in_force, routes)
            raise
        self._in_force = (routes,)

    async def _replace_any(
        self, possible: Sequence[ServiceRoutes | None], routes: ServiceRoutes
    ) -> None:
        """Replace whichever of the possible routes is there."""
        *others, last = possible
        for replacing in others:
            with contextlib.suppress(RoutesChangedError):
                await self._replace(replacing, routes)
                return
        await self._replace(last, routes)

    async def _replace(self, old: ServiceRoutes | None, new: ServiceRoutes) -> None:
        if old is None and await self.plain.observe(self._service) is not None:
            raise RoutesChangedError(f"somebody else has made routes for {self._service} meanwhile")
        await self.plain.apply(new, replacing=old)

    async def _hold(self, routes: ServiceRoutes) -> None:
        observed = await self.plain.observe(self._service)
        if observed is None:
            await self._move(routes)
        elif observed != routes:
            raise RoutesChangedError(f"the routes of {self._service} were changed meanwhile")

    def _raise_if_stopped(self) -> None:
        if not self._goes_back and self._around.stop() is not None:
            raise StoppedError
