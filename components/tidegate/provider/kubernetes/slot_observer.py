"""Reads a slot's objects."""

from collections.abc import Mapping

from tidegate.cluster.client import Cluster
from tidegate.cluster.kinds import (
    DEPLOYMENT,
    ENDPOINT_SLICE,
    EVENT,
    LEADER_WORKER_SET,
    POD,
    REPLICA_SET,
    Kind,
)
from tidegate.provider.kubernetes.diagnosis.slots import SlotObserved
from tidegate.provider.kubernetes.diagnosis.trouble import LogSource, Object

STATEFUL_SET = Kind("apps", "v1", "StatefulSet", "statefulsets")
WORKLOADS = {
    "Deployment": (DEPLOYMENT, REPLICA_SET),
    "LeaderWorkerSet": (LEADER_WORKER_SET, STATEFUL_SET),
}
GROUP_LABEL = "leaderworkerset.sigs.k8s.io/name"
"""On every pod and StatefulSet of a LeaderWorkerSet: its name (API of LeaderWorkerSet v1)."""
SERVICE_NAME_LABEL = "kubernetes.io/service-name"
LOG_LINES = 5


async def observe_slot(
    cluster: Cluster, workload_kind: str, workload_name: str, service_name: str
) -> SlotObserved:
    """Everything of a slot that can say why it is not ready. Raises ClusterError."""
    kind, maker_kind = WORKLOADS[workload_kind]
    workload = await cluster.find(kind, workload_name)
    if workload is None:
        return SlotObserved(None, [], [], [], [])
    chosen = _pod_labels(workload_kind, workload)
    pods = await cluster.select(POD, chosen)
    return SlotObserved(
        workload=workload,
        makers=await cluster.select(maker_kind, chosen),
        pods=[each for each in pods if "deletionTimestamp" not in each["metadata"]],
        endpoint_slices=await cluster.select(ENDPOINT_SLICE, {SERVICE_NAME_LABEL: service_name}),
        events=await cluster.select(EVENT),
    )


async def last_log_lines(cluster: Cluster, source: LogSource) -> list[str]:
    """What the container said last. Raises ClusterError."""
    return await cluster.log_tail(source.pod, LOG_LINES, container=source.container)


def group_size(workload_kind: str, workload: Object | None) -> int:
    """Pods that one replica consists of."""
    if workload is None or workload_kind != "LeaderWorkerSet":
        return 1
    template = (workload.get("spec") or {}).get("leaderWorkerTemplate") or {}
    return int(template.get("size") or 1)


def _pod_labels(workload_kind: str, workload: Object) -> Mapping[str, str]:
    if workload_kind == "LeaderWorkerSet":
        return {GROUP_LABEL: str(workload["metadata"]["name"])}
    return dict(workload["spec"]["selector"].get("matchLabels") or {})
