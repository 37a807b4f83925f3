"""A router on Envoy's watched files."""

import asyncio
import time
from collections.abc import Mapping

from tidegate.traffic.envoy.admin import EnvoyAdmin
from tidegate.traffic.envoy.clusters import cluster_names
from tidegate.traffic.envoy.discovery import DiscoveryFiles
from tidegate.traffic.router import RouterError
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
        return next((each for each in self._files.services() if each.service == service), None)

    async def apply(self, routes: ServiceRoutes) -> None:
        previous = next(
            (each for each in self._files.services() if each.service == routes.service), None
        )
        rejected_before = await self._admin.rejected_updates()
        self._files.put_service(routes)
        try:
            await self._confirm(rejected_before)
        except RouterError:
            if previous is None:
                self._files.remove_service(routes.service)
            else:
                self._files.put_service(previous)
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
