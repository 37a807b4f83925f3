"""How many servers stand ready behind the Services of a namespace."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tidegate.cluster.client import Cluster
from tidegate.cluster.kinds import ENDPOINT_SLICE

SERVICE_NAME_LABEL = "kubernetes.io/service-name"


async def ready_endpoints(cluster: Cluster, service: str | None = None) -> Counter[str]:
    """By Service, for all or for one; a Service without a ready endpoint is missing.

    Raises ClusterError.
    """
    labels = {SERVICE_NAME_LABEL: service} if service is not None else {}
    return count_ready(await cluster.select(ENDPOINT_SLICE, labels))


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
