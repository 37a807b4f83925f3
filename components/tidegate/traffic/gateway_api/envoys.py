"""The Envoys of a Gateway, and where they listen inside their pods."""

from dataclasses import dataclass

from tidegate.cluster.client import Cluster, Object
from tidegate.cluster.errors import ClusterError
from tidegate.cluster.kinds import GATEWAY, POD
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.traffic.router import RouterError

STATISTICS_PORT = 19001
_OWNER = "gateway.envoyproxy.io/owning-gateway"
_FIRST_UNPRIVILEGED = 1024
_MOVED_BY = 10_000
"""Envoy Gateway has Envoy listen so far above a privileged port of the listener."""


class NoEnvoyError(RouterError):
    """None is ready: nothing can be in flight, and nothing can be confirmed."""


@dataclass(frozen=True)
class Envoy:
    """A pod. Another container of the same pod has another `uid`, and counts from zero."""

    name: str
    uid: str
    address: str


@dataclass(frozen=True)
class Listener:
    """`port` is the one inside the pod; `hostname` what the listener admits, None for any."""

    port: int
    is_encrypted: bool
    hostname: str | None


async def find_envoys(cluster: Cluster, gateway: GatewayReference) -> list[Envoy]:
    """Those that are ready. Raises NoEnvoyError, or RouterError when they cannot be found out."""
    labels = {f"{_OWNER}-name": gateway.name, f"{_OWNER}-namespace": gateway.namespace}
    try:
        pods = await cluster.select(POD, labels, gateway.proxy_namespace)
    except ClusterError as error:
        raise RouterError(str(error)) from error
    found = [_envoy(pod) for pod in pods if _is_ready(pod)]
    if not found:
        raise NoEnvoyError(
            f"no Envoy of Gateway {gateway.namespace}/{gateway.name} is ready "
            f"in namespace {gateway.proxy_namespace}"
        )
    return found


async def find_listener(
    cluster: Cluster, gateway: GatewayReference, section: str | None
) -> Listener:
    """The listener of that name, or the first for HTTP. Raises RouterError."""
    try:
        found = await cluster.get(GATEWAY, gateway.name, gateway.namespace)
    except ClusterError as error:
        raise RouterError(str(error)) from error
    for listener in found["spec"]["listeners"]:
        is_http = listener["protocol"] in {"HTTP", "HTTPS"}
        if listener["name"] == section or (section is None and is_http):
            port = int(listener["port"])
            return Listener(
                port=port + _MOVED_BY if port < _FIRST_UNPRIVILEGED else port,
                is_encrypted=listener["protocol"] == "HTTPS",
                hostname=listener.get("hostname"),
            )
    raise RouterError(
        f"Gateway {gateway.namespace}/{gateway.name} has no listener {section or 'for HTTP'}"
    )


def _is_ready(pod: Object) -> bool:
    status = pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp") or not status.get("podIP"):
        return False
    conditions = status.get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _envoy(pod: Object) -> Envoy:
    status = pod["status"]
    restarts = sum(each.get("restartCount", 0) for each in status.get("containerStatuses") or ())
    return Envoy(
        name=pod["metadata"]["name"],
        uid=f"{pod['metadata']['uid']}/{restarts}",
        address=status["podIP"],
    )
