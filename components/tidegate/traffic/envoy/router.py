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
READING_SECONDS = 1.0
"""Envoy reads a replaced file within milliseconds; a busy machine may take longer."""
POLL_SECONDS = 0.02


class EnvoyFileRouter:
    """Implements `tidegate.traffic.router.Router`."""

    def __init__(self, files: DiscoveryFiles, admin: EnvoyAdmin) -> None:
        self._files = files
        self._admin = admin

    async def observe(self, service: str) -> ServiceRoutes | None:
        """Routes in force; None also when the file was edited or Envoy serves another version."""
        deadline = time.monotonic() + READING_SECONDS
        while True:
            if not self._files.routes_are_as_recorded():
                return None
            if await self._serves_what_is_recorded():
                return self._files.routes_of(service)
            # Another service, or a server that came or went, may have changed the file just now.
            if time.monotonic() >= deadline:
                return None
            await asyncio.sleep(POLL_SECONDS)

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

    async def settle(self) -> None:
        """Wait until Envoy serves what is recorded, for instance a new server's own routes."""
        await self._confirm(await self._admin.rejected_updates())

    async def _serves_what_is_recorded(self) -> bool:
        return await self._admin.routes_version() == self._files.routes_version()

    async def _confirm(self, rejected_before: int) -> None:
        """Wait until Envoy serves what is recorded.

        That is this change, and perhaps a later one of another service, whose version Envoy may
        take without ever reporting ours. Envoy gets the file a second time when it refused it or
        did not notice it: it may have read the routes before the clusters that they lead to.
        """
        began = time.monotonic()
        is_second = False
        while not await self._serves_what_is_recorded():
            refused = await self._admin.rejected_updates()
            waited = time.monotonic() - began
            if refused > rejected_before and is_second:
                raise RouterError(
                    "Envoy refused the new routes and serves the previous ones; "
                    "its log (gateway.log in the state folder) says why"
                )
            if waited >= CONFIRMATION_SECONDS:
                raise RouterError(
                    f"Envoy did not take the new routes within {CONFIRMATION_SECONDS:g} s"
                )
            if not is_second and (refused > rejected_before or waited >= READING_SECONDS):
                rejected_before = refused
                self._files.write_routes_again()
                is_second = True
            await asyncio.sleep(POLL_SECONDS)
