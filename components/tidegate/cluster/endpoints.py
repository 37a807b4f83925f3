"""How many servers stand ready behind the Services of a namespace."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tidegate.cluster.client import Cluster
from tidegate.cluster.kinds import ENDPOINT_SLICE

SERVICE_NAME_LABEL = "kubernetes.io/service-name"


class Address(NamedTuple):
    """Where a pod is reached, as host:port."""

    target: str
    is_ready: bool


async def ready_endpoints(cluster: Cluster, service: str | None = None) -> Counter[str]:
    """By Service, for all or for one; a Service without a ready endpoint is missing.

    Raises ClusterError.
    """
    labels = {SERVICE_NAME_LABEL: service} if service is not None else {}
    return count_ready(await cluster.select(ENDPOINT_SLICE, labels))


async def addresses_of(cluster: Cluster, service: str, port_name: str) -> dict[str, Address]:
    """By pod, for all behind a Service. Raises ClusterError."""
    found: dict[str, Address] = {}
    for slice_ in await cluster.select(ENDPOINT_SLICE, {SERVICE_NAME_LABEL: service}):
        ports = {each.get("name"): each.get("port") for each in slice_.get("ports") or ()}
        if ports.get(port_name) is None:
            continue
        for endpoint in slice_.get("endpoints") or ():
            address = endpoint["addresses"][0]
            host = f"[{address}]" if ":" in address else address
            made = Address(f"{host}:{ports[port_name]}", _is_ready(endpoint))
            pod = (endpoint.get("targetRef") or {}).get("name") or address
            # A pod with addresses of both families is in a slice of each.
            found[pod] = min(made, found.get(pod, made))
    return found


def count_ready(slices: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """A pod counts once, also with addresses of both families, which have slices of their own."""
    pods = {
        (slice_["metadata"].get("labels", {}).get(SERVICE_NAME_LABEL, ""), _who(endpoint))
        for slice_ in slices
        for endpoint in slice_.get("endpoints") or ()
        if _is_ready(endpoint)
    }
    return Counter(service for service, _ in pods)


def _who(endpoint: Mapping[str, Any]) -> str:
    target = endpoint.get("targetRef") or {}
    return str(target.get("uid") or endpoint["addresses"][0])


def _is_ready(endpoint: Mapping[str, Any]) -> bool:
    """Without a condition an endpoint counts as ready, says its API."""
    return (endpoint.get("conditions") or {}).get("ready") is not False
