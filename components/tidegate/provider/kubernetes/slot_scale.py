"""How many replicas a slot's workload shall have, and scaling it.

Written as a merge patch by `tidegate.cluster.names.FIELD_MANAGER`: the engine's server-side apply
leaves a field alone that it ignores and that another manager owns, and an autoscaler that writes
later simply becomes its owner.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.cluster import names
from tidegate.cluster.client import Cluster
from tidegate.cluster.kinds import DEPLOYMENT, LEADER_WORKER_SET, Kind
from tidegate.provider.kubernetes.slot_parts import select_ours


@dataclass(frozen=True)
class SlotScale:
    """One workload of a revision. `replicas` are those that it shall have, whatever runs."""

    kind: Kind
    name: str
    revision: str
    replicas: int


def replicas_of(workload: Mapping[str, Any]) -> int:
    """The API's default is 1."""
    replicas = (workload.get("spec") or {}).get("replicas")
    return 1 if replicas is None else int(replicas)


async def scale_to(cluster: Cluster, kind: Kind, name: str, replicas: int) -> None:
    """Give a workload that is there so many replicas. Raises ClusterError."""
    workload = await cluster.find(kind, name)
    if workload is not None and replicas_of(workload) != replicas:
        await cluster.patch(kind, name, {"spec": {"replicas": replicas}})


async def scales_of(cluster: Cluster, service: str) -> list[SlotScale]:
    """Workloads that tidegate made for the service, by name. Raises ClusterError."""
    labels = names.selector(service)
    found = [(DEPLOYMENT, each) for each in await cluster.select(DEPLOYMENT, labels)]
    groups = await select_ours(cluster, LEADER_WORKER_SET, labels)
    found += [(LEADER_WORKER_SET, each) for each in groups]
    scales = [
        SlotScale(kind, each["metadata"]["name"], revision, replicas_of(each))
        for kind, each in found
        if (revision := (each["metadata"].get("labels") or {}).get(names.REVISION_LABEL))
    ]
    return sorted(scales, key=lambda each: each.name)
