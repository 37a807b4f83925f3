"""A service's routes as the API server has them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from tidegate.cluster.client import Cluster, Object
from tidegate.cluster.errors import MissingKindError
from tidegate.cluster.kinds import GRPC_ROUTE, HTTP_ROUTE, Kind
from tidegate.cluster.names import labels
from tidegate.spec.errors import SpecError
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.traffic.gateway_api.conditions import status_of
from tidegate.traffic.gateway_api.desired import DesiredRoutes
from tidegate.traffic.gateway_api.objects import KINDS, is_as_rendered, owned, render, written
from tidegate.traffic.routes import ServiceRoutes


@dataclass(frozen=True)
class Recorded:
    """`desired` is what the HTTPRoute was made from. `problems` say what keeps the objects from
    being in force: edited by hand, not accepted, missing; empty when nothing does."""

    desired: DesiredRoutes
    problems: tuple[str, ...]
    is_settled: bool
    """The Gateway's controller has seen every object as it is now."""
    resource_version: str
    """Of the HTTPRoute."""

    @property
    def routes(self) -> ServiceRoutes:
        return self.desired.routes

    @property
    def pinned(self) -> tuple[str, ...]:
        return self.desired.pinned

    def mentions(self, revision: str) -> bool:
        """Whether any rule leads to the revision, a pinned one included."""
        return revision in self.desired.pinned


class RecordedRoutes:
    """Routes of one namespace on one Gateway. Every method raises ClusterError."""

    def __init__(self, cluster: Cluster, gateway: GatewayReference) -> None:
        self._cluster = cluster
        self._gateway = gateway

    async def of(self, service: str) -> Recorded | None:
        """None when the service has no HTTPRoute that tidegate made; of a kind that is not
        installed there is none."""
        http, grpc = await asyncio.gather(
            self._find(HTTP_ROUTE, service), self._find(GRPC_ROUTE, service)
        )
        return self._read({HTTP_ROUTE: http, GRPC_ROUTE: grpc})

    async def check_kinds(self, service: str) -> None:
        """Raises MissingKindError where the service's routes cannot be written."""
        await asyncio.gather(*(self._cluster.find(kind, service) for kind in KINDS))

    async def all(self) -> list[Recorded]:
        """Those of every service in the namespace."""
        found: dict[str, dict[Kind, Object | None]] = {}
        for kind in KINDS:
            for each in await self._cluster.select(kind, labels()):
                found.setdefault(each["metadata"]["name"], dict.fromkeys(KINDS))[kind] = each
        return [read for each in found.values() if (read := self._read(each)) is not None]

    async def withdraw(self, service: str) -> None:
        """Delete every object of the service's routes; kinds that are not installed have none."""
        for kind, name in owned(service):
            try:
                await self._cluster.delete(kind, name)
            except MissingKindError:
                continue

    async def _find(self, kind: Kind, name: str) -> Object | None:
        try:
            return await self._cluster.find(kind, name)
        except MissingKindError:
            return None

    def _read(self, found: Mapping[Kind, Object | None]) -> Recorded | None:
        http = found[HTTP_ROUTE]
        desired = written(http) if http is not None else None
        if http is None or desired is None:
            return None
        problems: list[str] = []
        is_settled = True
        for kind, route in found.items():
            if route is None:
                problems.append(f"{kind.name} {desired.routes.service} is missing")
                continue
            problems += self._edited(kind, route, desired)
            status = status_of(route, self._gateway)
            is_settled = is_settled and status.is_seen
            problems += [
                f"{kind.name} {desired.routes.service}: {each}" for each in status.refusals
            ]
        return Recorded(
            desired=desired,
            problems=tuple(problems),
            is_settled=is_settled,
            resource_version=http["metadata"]["resourceVersion"],
        )

    def _edited(self, kind: Kind, route: Object, desired: DesiredRoutes) -> list[str]:
        try:
            rendered = dict(render(desired, self._gateway))[kind]
        except SpecError:
            rendered = None
        if rendered is not None and is_as_rendered(route, rendered):
            return []
        return [f"{kind.name} {desired.routes.service} was edited past tidegate"]
