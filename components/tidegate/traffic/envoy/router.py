"""A router on Envoy's watched files."""

import asyncio
import contextlib
import time
from collections.abc import Mapping

from tidegate.traffic.envoy.admin import EnvoyAdmin
from tidegate.traffic.envoy.clusters import cluster_names
from tidegate.traffic.envoy.discovery import DiscoveryFiles
from tidegate.traffic.envoy.user_statistics import user_counters
from tidegate.traffic.router import RouterError, RoutesChangedError, UserCounters
from tidegate.traffic.routes import ServiceRoutes

CONFIRMATION_SECONDS = 10.0
POLL_SECONDS = 0.02


class EnvoyFileRouter:
    """Implements `tidegate.traffic.router.Router`."""

    def __init__(self, files: DiscoveryFiles, admin: EnvoyAdmin) -> None:
        self._files = files
        self._admin = admin

    async def observe(self, service: str) -> ServiceRoutes | None:
        """Routes in force; None also when the file was edited or Envoy serves another version."""
        if not self._files.routes_are_as_recorded():
            return None
        if await self._admin.routes_version() != self._files.routes_version():
            return None
        return self._files.routes_of(service)

    async def apply(self, routes: ServiceRoutes, replacing: ServiceRoutes | None = None) -> None:
        """Replace the routes; what Envoy refuses or does not confirm is taken back."""
        rejected_before = await self._admin.rejected_updates()
        before = self._files.put_service(routes, replacing)
        try:
            await self._confirm(rejected_before)
        except RouterError:
            self._take_back(routes, before)
            raise

    async def withdraw(self, service: str) -> None:
        rejected_before = await self._admin.rejected_updates()
        self._files.remove_service(service)
        await self._confirm(rejected_before)

    async def is_healthy(self, revision: str) -> bool:
        return set(cluster_names(revision)) <= await self._admin.healthy_clusters()

    async def active_requests(self, revision: str) -> int:
        return await self._admin.active_requests(revision)

    async def open_requests(self, revision: str) -> Mapping[str, int]:
        return await self._admin.open_requests(revision)

    async def user_counters(self, revision: str) -> UserCounters:
        return user_counters(await self._admin.user_statistics(revision), revision)

    def _take_back(self, routes: ServiceRoutes, before: ServiceRoutes | None) -> None:
        """Restore what was recorded, unless somebody else has recorded routes since."""
        with contextlib.suppress(RoutesChangedError):
            if before is None:
                self._files.remove_service(routes.service, replacing=routes)
            else:
                self._files.put_service(before, replacing=routes)

    async def _confirm(self, rejected_before: int) -> None:
        """Wait until Envoy serves what is recorded.

        That is this change, and perhaps a later one of another service, whose version Envoy may
        take without ever reporting ours.
        """
        deadline = time.monotonic() + CONFIRMATION_SECONDS
        while await self._admin.routes_version() != self._files.routes_version():
            if await self._admin.rejected_updates() > rejected_before:
                raise RouterError(
                    "Envoy refused the new routes and serves the previous ones; "
                    "its log (gateway.log in the state folder) says why"
                )
            if time.monotonic() >= deadline:
                raise RouterError(
                    f"Envoy did not take the new routes within {CONFIRMATION_SECONDS:g} s"
                )
            await asyncio.sleep(POLL_SECONDS)
