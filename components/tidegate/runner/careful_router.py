"""A router that moves nothing before what was decided is written down, and tells a refusal from
silence."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from tidegate.cluster.errors import ClusterError, is_refusal
from tidegate.traffic.router import Router, RouterError, RoutesChangedError, UserCounters
from tidegate.traffic.routes import ServiceRoutes

REFUSED_SECONDS = 5.0
"""So long a refusal must stand: an API server that was just started knows no roles yet."""

T = TypeVar("T")


class NotAllowedError(Exception):
    """What the switch needs is refused, and waiting does not help; the message says by whom."""


class CarefulRouter:
    """Implements `tidegate.traffic.router.Router`; `before_moving` may raise ClusterError, which
    counts as a router that is silent, or whatever ends the run.

    Every method raises NotAllowedError once the API server has refused it for REFUSED_SECONDS;
    those of a drain, which comes after every decision, go on saying RouterError.
    """

    def __init__(
        self,
        router: Router,
        before_moving: Callable[[], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._router = router
        self._before_moving = before_moving
        self._clock = clock
        self._refused_since: dict[str, float] = {}
        self.may_have_moved = False
        """Whether a change was begun that was not refused as a whole."""

    async def observe(self, service: str) -> ServiceRoutes | None:
        return await self._allowed("observe", self._router.observe(service))

    async def apply(self, routes: ServiceRoutes, replacing: ServiceRoutes | None = None) -> None:
        await self._change(lambda: self._router.apply(routes, replacing))

    async def withdraw(self, service: str) -> None:
        await self._change(lambda: self._router.withdraw(service))

    async def is_healthy(self, revision: str) -> bool:
        return await self._allowed("health", self._router.is_healthy(revision))

    async def active_requests(self, revision: str) -> int:
        return await self._router.active_requests(revision)

    async def open_requests(self, revision: str) -> Mapping[str, int]:
        return await self._router.open_requests(revision)

    async def user_counters(self, revision: str) -> UserCounters:
        return await self._allowed("counters", self._router.user_counters(revision))

    async def _change(self, work: Callable[[], Awaitable[None]]) -> None:
        await self._allowed("records", self._prepare())
        try:
            await self._allowed("change", work())
        except (RouterError, NotAllowedError) as error:
            self.may_have_moved = self.may_have_moved or not is_refusal(error.__cause__)
            raise
        self.may_have_moved = True

    async def _prepare(self) -> None:
        try:
            await self._before_moving()
        except ClusterError as error:
            raise RouterError(str(error)) from error

    async def _allowed(self, what: str, work: Awaitable[T]) -> T:
        try:
            result = await work
        except RoutesChangedError:
            raise
        except RouterError as error:
            if is_refusal(error.__cause__):
                now = self._clock()
                if now - self._refused_since.setdefault(what, now) >= REFUSED_SECONDS:
                    raise NotAllowedError(str(error)) from error.__cause__
            raise
        self._refused_since.pop(what, None)
        return result
