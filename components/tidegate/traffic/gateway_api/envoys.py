"""The Envoys of a Gateway, and where they listen inside their pods."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tidegate.cluster.client import Cluster, Object
from tidegate.cluster.errors import ClusterError
from tidegate.cluster.kinds import GATEWAY, POD
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.traffic.router import NoDataPlaneError, RouterError

STATISTICS_PORT = 19001
_OWNER = "gateway.envoyproxy.io/owning-gateway"
_CONTAINER = "envoy"
_FIRST_UNPRIVILEGED = 1024
_MOVED_BY = 10_000
"""Envoy Gateway has Envoy listen so far above a privileged port of the listener."""


@dataclass(frozen=True)
class Envoy:
    """A pod. Another container of the same pod has another `uid`, and counts from zero.

    One that is not ready, or `is_terminating`, gets no new connections and may have requests in
    flight. `started_at` is when the container began; None when that is not known.
    """

    name: str
    uid: str
    address: str
    is_ready: bool = True
    is_terminating: bool = False
    started_at: datetime | None = None


@dataclass(frozen=True)
class Listener:
    """`port` is the one inside the pod; `hostname` what the listener admits, None for any."""

    port: int
    is_encrypted: bool
    hostname: str | None


async def find_envoys(cluster: Cluster, gateway: GatewayReference) -> list[Envoy]:
    """Those that are ready. Raises RouterError, also when none is."""
    return ready_ones(await find_running_envoys(cluster, gateway), gateway)


async def find_running_envoys(cluster: Cluster, gateway: GatewayReference) -> list[Envoy]:
    """All that may have requests in flight. Raises NoDataPlaneError when there are none, and
    RouterError when they cannot be found out."""
    labels = {f"{_OWNER}-name": gateway.name, f"{_OWNER}-namespace": gateway.namespace}
    try:
        pods = await cluster.select(POD, labels, gateway.proxy_namespace)
    except ClusterError as error:
        raise RouterError(str(error)) from error
    found = [_envoy(pod) for pod in pods if _is_running(pod)]
    if not found:
        raise NoDataPlaneError(_none(gateway, "runs"))
    return found


def ready_ones(envoys: Iterable[Envoy], gateway: GatewayReference) -> list[Envoy]:
    """Raises RouterError when none is."""
    found = [each for each in envoys if each.is_ready]
    if not found:
        raise RouterError(_none(gateway, "is ready"))
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


def _none(gateway: GatewayReference, does: str) -> str:
    place = f"Gateway {gateway.namespace}/{gateway.name}"
    return f"no Envoy of {place} {does} in namespace {gateway.proxy_namespace}"


def _is_running(pod: Object) -> bool:
    """Whether Envoy may run in it: a container that waits or has ended has nothing in flight."""
    status = pod.get("status") or {}
    if not status.get("podIP") or status.get("phase") in {"Succeeded", "Failed"}:
        return False
    return not {"waiting", "terminated"} & (_container(pod).get("state") or {}).keys()


def _is_ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _container(pod: Object) -> Object:
    """Envoy's own status: what else runs in the pod does not count requests."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return next((each for each in statuses if each["name"] == _CONTAINER), {})


def _envoy(pod: Object) -> Envoy:
    container = _container(pod)
    started_at = ((container.get("state") or {}).get("running") or {}).get("startedAt")
    is_terminating = "deletionTimestamp" in pod["metadata"]
    return Envoy(
        name=pod["metadata"]["name"],
        uid=f"{pod['metadata']['uid']}/{container.get('restartCount', 0)}",
        address=pod["status"]["podIP"],
        is_ready=_is_ready(pod) and not is_terminating,
        is_terminating=is_terminating,
        started_at=datetime.fromisoformat(started_at) if started_at else None,
    )
