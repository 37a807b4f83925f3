"""Reads a slot's objects."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tidegate.cluster.client import Cluster
from tidegate.cluster.endpoints import SERVICE_NAME_LABEL
from tidegate.cluster.kinds import (
    DEPLOYMENT,
    ENDPOINT_SLICE,
    LEADER_WORKER_SET,
    POD,
    REPLICA_SET,
    Kind,
)
from tidegate.provider.kubernetes.diagnosis.pools import Pools
from tidegate.provider.kubernetes.diagnosis.slots import SlotObserved, SlotWanted, is_slot_ready
from tidegate.provider.kubernetes.diagnosis.trouble import LogSource, Object
from tidegate.provider.kubernetes.namespace_events import NamespaceEvents

STATEFUL_SET = Kind("apps", "v1", "StatefulSet", "statefulsets")
WORKLOADS = {
    "Deployment": (DEPLOYMENT, REPLICA_SET),
    "LeaderWorkerSet": (LEADER_WORKER_SET, STATEFUL_SET),
}
GROUP_LABEL = "leaderworkerset.sigs.k8s.io/name"
"""On every pod and StatefulSet of a LeaderWorkerSet: its name (API of LeaderWorkerSet v1)."""
LOG_LINES = 5


@dataclass(frozen=True)
class SlotPlace:
    """Where a slot's objects are, and how many replicas must be ready."""

    workload_kind: str
    workload_name: str
    service_name: str
    replicas: int
    pools: Pools


class SlotObserver:
    """Looks at one slot."""

    def __init__(self, cluster: Cluster, events: NamespaceEvents, place: SlotPlace) -> None:
        self._cluster = cluster
        self._events = events
        self._place = place

    async def observe(self) -> tuple[SlotObserved, SlotWanted]:
        """Everything that can say why the slot is not ready. Raises ClusterError."""
        place = self._place
        kind, maker_kind = WORKLOADS[place.workload_kind]
        workload = await self._cluster.find(kind, place.workload_name)
        size = group_size(place.workload_kind, workload)
        wanted = SlotWanted(
            workload_kind=place.workload_kind,
            workload_name=place.workload_name,
            service_name=place.service_name,
            pods=place.replicas * size,
            pools=place.pools,
        )
        if workload is None:
            return SlotObserved(None, [], [], [], []), wanted
        chosen = _pod_labels(place.workload_kind, workload)
        service = {SERVICE_NAME_LABEL: place.service_name}
        pods, slices = await asyncio.gather(
            self._cluster.select(POD, chosen), self._cluster.select(ENDPOINT_SLICE, service)
        )
        kept = [each for each in pods if "deletionTimestamp" not in each["metadata"]]
        observed = SlotObserved(workload, [], kept, slices, [])
        if is_slot_ready(observed, wanted):
            return observed, wanted
        makers, events = await asyncio.gather(
            self._cluster.select(maker_kind, chosen), self._events.recent()
        )
        return replace(observed, makers=makers, events=events), wanted


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
