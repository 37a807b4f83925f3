"""A router on the Gateway API."""

import dataclasses
from collections.abc import Mapping

from tidegate.cluster.client import Cluster
from tidegate.cluster.endpoints import ready_endpoints
from tidegate.cluster.errors import ClusterError
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.traffic.gateway_api.data_plane import DataPlane
from tidegate.traffic.gateway_api.desired import DesiredRoutes
from tidegate.traffic.gateway_api.route_writer import RouteWriter
from tidegate.traffic.gateway_api.totals import Totals
from tidegate.traffic.router import RouterError, RoutesChangedError, UserCounters
from tidegate.traffic.routes import ServiceRoutes


class GatewayApiRouter:
    """Implements `tidegate.traffic.router.Router` on HTTPRoute and GRPCRoute.

    A move is made in two steps when a revision comes to traffic: first it is pinned, and asked
    through every Envoy, then it gets its weight. A revision that leaves the routes stays pinned,
    so that it can be drained, until `release`.
    """

    def __init__(self, cluster: Cluster, gateway: GatewayReference) -> None:
        self._cluster = cluster
        self._data_plane = DataPlane(cluster, gateway)
        self._writer = RouteWriter(cluster, gateway, self._data_plane)
        self._totals: dict[str, Totals] = {}

    async def observe(self, service: str) -> ServiceRoutes | None:
        """Routes in force; None also when an object was edited, or an Envoy serves others. What a
        silent Envoy serves is not known, and holds nothing up while another answers."""
        recorded = await self._writer.read(service)
        if recorded is None or recorded.problems or not recorded.is_settled:
            return None
        told = await self._data_plane.not_serving(
            recorded.routes, recorded.desired.version, leaves_out_silent=True
        )
        return None if told.otherwise else recorded.routes

    async def apply(self, routes: ServiceRoutes, replacing: ServiceRoutes | None = None) -> None:
        """Replace the routes; what the Gateway refuses or does not confirm is taken back."""
        writer = self._writer
        before = await writer.expected(routes.service, replacing)
        kept = await writer.existing(before.pinned if before is not None else ())
        desired = DesiredRoutes(routes, kept)
        try:
            if before is not None:
                prepared = dataclasses.replace(before.desired, pinned=desired.pinned)
                if prepared != before.desired:
                    await writer.put(prepared, replacing, passes_over_silent=True)
                await writer.reached(prepared.routes, _gaining(before.routes, routes))
            await writer.put(desired, replacing)
            if before is None:
                await writer.reached(routes, _gaining(None, routes))
        except RoutesChangedError:
            raise
        except RouterError:
            await writer.restore(desired, before)
            raise

    async def release(self, service: str) -> None:
        """Remove the pinned rules of revisions that have left the routes, and their clusters."""
        recorded = await self._writer.read(service)
        if recorded is None or recorded.desired == recorded.desired.without_retired():
            return
        await self._writer.put(recorded.desired.without_retired(), recorded.routes)

    async def withdraw(self, service: str) -> None:
        await self._writer.delete(service)

    async def is_healthy(self, revision: str) -> bool:
        """Whether its Service has a ready endpoint, and every Envoy that answers and has a cluster
        for the revision finds one healthy there."""
        if not await self._has_endpoint(revision):
            return False
        counted = await self._data_plane.counted(self._cluster.namespace, revision)
        clusters = [each for protocols in counted.values() for each in protocols.values()]
        return all(each.healthy_endpoints != 0 for each in clusters)

    async def active_requests(self, revision: str) -> int:
        return sum((await self.open_requests(revision)).values())

    async def open_requests(self, revision: str) -> Mapping[str, int]:
        """Raises NoDataPlaneError when no Envoy runs, and RouterError when one is silent."""
        counted = await self._data_plane.counted_everywhere(self._cluster.namespace, revision)
        found: dict[str, int] = {}
        for protocols in counted:
            for protocol, each in protocols.items():
                found[protocol] = found.get(protocol, 0) + each.active
        return found

    async def user_counters(self, revision: str) -> UserCounters:
        """See `tidegate.traffic.gateway_api.statistics` for what cannot be known here."""
        counted = await self._data_plane.counted(self._cluster.namespace, revision)
        by_envoy = {envoy: protocols.values() for envoy, protocols in counted.items()}
        return self._totals.setdefault(revision, Totals()).update(by_envoy)

    async def close(self) -> None:
        await self._data_plane.close()

    async def _has_endpoint(self, revision: str) -> bool:
        try:
            return (await ready_endpoints(self._cluster, revision))[revision] > 0
        except ClusterError as error:
            raise RouterError(str(error)) from error


def _gaining(before: ServiceRoutes | None, after: ServiceRoutes) -> list[str]:
    """Revisions that come to traffic."""
    had = before.weights if before is not None else {}
    return sorted(each for each, weight in after.weights.items() if weight and not had.get(each))
