"""A router that moves nothing before what was decided is written down."""

from collections.abc import Awaitable, Callable, Mapping

from tidegate.cluster.errors import ClusterError
from tidegate.traffic.router import Router, RouterError, UserCounters
from tidegate.traffic.routes import ServiceRoutes


class CarefulRouter:
    """Implements `tidegate.traffic.router.Router`; `before_moving` may raise ClusterError, which
    counts as a router that is silent, or whatever ends the run."""

    def __init__(self, router: Router, before_moving: Callable[[], Awaitable[None]]) -> None:
        self._router = router
        self._before_moving = before_moving

    async def observe(self, service: str) -> ServiceRoutes | None:
        return await self._router.observe(service)

    async def apply(self, routes: ServiceRoutes, replacing: ServiceRoutes | None = None) -> None:
        await self._prepare()
        await self._router.apply(routes, replacing)

    async def withdraw(self, service: str) -> None:
        await self._prepare()
        await self._router.withdraw(service)

    async def is_healthy(self, revision: str) -> bool:
        return await self._router.is_healthy(revision)

    async def active_requests(self, revision: str) -> int:
        return await self._router.active_requests(revision)

    async def open_requests(self, revision: str) -> Mapping[str, int]:
        return await self._router.open_requests(revision)

    async def user_counters(self, revision: str) -> UserCounters:
        return await self._router.user_counters(revision)

    async def _prepare(self) -> None:
        try:
            await self._before_moving()
        except ClusterError as error:
            raise RouterError(str(error)) from error
