"""A service's routes as the API server has them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidegate.cluster.client import Cluster, Object
from tidegate.cluster.errors import MissingKindError
from tidegate.cluster.kinds import HTTP_ROUTE, Kind
from tidegate.cluster.names import labels
from tidegate.spec.errors import SpecError
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.traffic.gateway_api.conditions import status_of
from tidegate.traffic.gateway_api.desired import DesiredRoutes
from tidegate.traffic.gateway_api.drift import is_as_rendered
from tidegate.traffic.gateway_api.objects import KINDS, OWNED, owned, render, written
from tidegate.traffic.routes import ServiceRoutes

ONE_OF_BOTH = (
    "HTTPRoute and GRPCRoute share a listener, and the Gateway API has controllers accept only one "
    "of the two for a host name, which Envoy Gateway 1.9 does not enforce; if that is why, bring a "
    "Gateway with a listener for each, as httpSection and grpcSection of gateway.existing"
)
Place = tuple[Kind, str]
"""Kind and name of an object."""


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
    """Routes of one namespace on one Gateway. Every method raises ClusterError.

    `kinds` are those that are looked at: who only reads where traffic goes needs no right on more
    than the routes themselves.
    """

    def __init__(
        self, cluster: Cluster, gateway: GatewayReference, kinds: Sequence[Kind] = OWNED
    ) -> None:
        self._cluster = cluster
        self._gateway = gateway
        self._kinds = kinds

    async def of(self, service: str) -> Recorded | None:
        """None when the service has no HTTPRoute that tidegate made; of a kind that is not
        installed there is none."""
        places = self._places(service)
        found = await asyncio.gather(*(self._find(*place) for place in places))
        return self._read(service, dict(zip(places, found, strict=True)))

    async def check_kinds(self, service: str) -> None:
        """Raises MissingKindError where the service's routes cannot be written."""
        await asyncio.gather(*(self._cluster.find(kind, service) for kind in OWNED))

    async def all(self) -> list[Recorded]:
        """Those of every service in the namespace."""
        found: dict[Place, Object] = {}
        for kind in self._kinds:
            for each in await self._cluster.select(kind, labels()):
                found[kind, each["metadata"]["name"]] = each
        services = [name for kind, name in found if kind == HTTP_ROUTE]
        read = (
            self._read(service, {place: found.get(place) for place in self._places(service)})
            for service in services
        )
        return [each for each in read if each is not None]

    async def withdraw(self, service: str) -> None:
        """Delete every object of the service's routes; kinds that are not installed have none."""
        for kind, name in owned(service):
            try:
                await self._cluster.delete(kind, name)
            except MissingKindError:
                continue

    def _places(self, service: str) -> list[Place]:
        return [place for place in owned(service) if place[0] in self._kinds]

    async def _find(self, kind: Kind, name: str) -> Object | None:
        try:
            return await self._cluster.find(kind, name)
        except MissingKindError:
            return None

    def _read(self, service: str, found: Mapping[Place, Object | None]) -> Recorded | None:
        http = found[HTTP_ROUTE, service]
        desired = written(http) if http is not None else None
        if http is None or desired is None:
            return None
        wanted = self._rendered(desired)
        problems: list[str] = []
        is_settled = True
        accepted: list[bool | None] = []
        for (kind, name), each in found.items():
            if each is None:
                problems.append(f"{kind.name} {name} is missing")
                continue
            if (kind, name) not in wanted or not is_as_rendered(each, wanted[kind, name]):
                problems.append(f"{kind.name} {name} was edited past tidegate")
            if kind in KINDS:
                status = status_of(each, self._gateway)
                is_settled = is_settled and status.is_seen
                accepted.append(status.is_accepted)
                problems += [f"{kind.name} {name}: {refusal}" for refusal in status.refusals]
        if sorted(accepted, key=str) == [False, True] and self._shares_a_listener:
            problems.append(ONE_OF_BOTH)
        return Recorded(
            desired=desired,
            problems=tuple(problems),
            is_settled=is_settled,
            resource_version=http["metadata"]["resourceVersion"],
        )

    @property
    def _shares_a_listener(self) -> bool:
        """A route that names no listener has all of them."""
        sections = {self._gateway.http_section, self._gateway.grpc_section}
        return len(sections) == 1 or None in sections

    def _rendered(self, desired: DesiredRoutes) -> dict[Place, Object]:
        """Nothing for an annotation that no route could have been made from."""
        try:
            objects = render(desired, self._gateway)
        except SpecError:
            return {}
        return {(kind, content["metadata"]["name"]): content for kind, content in objects}
