"""What the Gateway's controller says about a route."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tidegate.cluster.client import Object
from tidegate.spec.kubernetes_gateway import GatewayReference

WANTED = ("Accepted", "ResolvedRefs")


@dataclass(frozen=True)
class RouteStatus:
    """`refusals` are conditions that are not met; `is_seen` when all are about this generation."""

    is_seen: bool
    refusals: tuple[str, ...]
    is_accepted: bool | None
    """None while nothing is said of it."""

    @property
    def is_in_force(self) -> bool:
        return self.is_seen and not self.refusals


def status_of(route: Object, gateway: GatewayReference) -> RouteStatus:
    """The route's conditions under this Gateway, at the generation that was written."""
    generation = int(route["metadata"].get("generation", 0))
    met: dict[str, bool] = {}
    refusals = []
    for condition in _conditions(route, gateway):
        if int(condition.get("observedGeneration", 0)) < generation:
            continue
        name = condition.get("type")
        if name not in WANTED:
            continue
        met[name] = met.get(name, True) and condition.get("status") == "True"
        if condition.get("status") != "True":
            refusals.append(f"{condition.get('reason')}: {condition.get('message')}")
    return RouteStatus(met.keys() == set(WANTED), tuple(refusals), met.get("Accepted"))


def _conditions(route: Object, gateway: GatewayReference) -> Iterator[dict[str, Any]]:
    own_namespace = route["metadata"].get("namespace")
    for parent in (route.get("status") or {}).get("parents") or ():
        reference = parent.get("parentRef") or {}
        found = reference.get("namespace") or own_namespace, reference.get("name")
        if found == (gateway.namespace, gateway.name):
            yield from parent.get("conditions") or ()
