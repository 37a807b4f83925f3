"""What an `up` made that was killed before the engine wrote it down: nobody else removes it."""

from collections.abc import Set

from tidegate.cluster import names
from tidegate.cluster.client import Cluster, Object
from tidegate.cluster.errors import ForbiddenError, MissingKindError
from tidegate.cluster.kinds import CONFIG_MAP, DEPLOYMENT, LEADER_WORKER_SET, SERVICE, Kind
from tidegate.provider.kubernetes.access import ClusterAccess
from tidegate.provider.kubernetes.gate_runs import GateRuns
from tidegate.records.gates import GateRecords

WORKLOADS = (DEPLOYMENT, LEADER_WORKER_SET)
PARTS: tuple[Kind, ...] = (
    SERVICE,
    CONFIG_MAP,
    Kind("", "v1", "ServiceAccount", "serviceaccounts"),
    Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
)
"""What a slot consists of beside its workload."""


async def find_strays(access: ClusterAccess, service: str, known: Set[str]) -> list[str]:
    """Revisions of the service with a slot or a gate, that no route mentions.

    `known` are those that the stack declares or has recorded. Raises ClusterError.
    """
    cluster = access.cluster()
    gates = {each.revision for each in await GateRecords(cluster).all() if each.service == service}
    unknown = (await _with_a_workload(cluster, service) | gates) - known
    if not unknown:
        return []
    routed = await access.routes().all()
    return sorted(
        revision for revision in unknown if not any(each.mentions(revision) for each in routed)
    )


async def remove_strays(access: ClusterAccess, service: str, known: Set[str]) -> list[str]:
    """Remove what `find_strays` names; returns the revisions. Raises ClusterError."""
    cluster = access.cluster()
    strays = await find_strays(access, service, known)
    for revision in strays:
        await GateRuns(cluster, access.configuration).remove(revision)
        for kind in (*WORKLOADS, *PARTS):
            for name in await _names(cluster, kind, service, revision):
                await cluster.delete(kind, name)
    return strays


async def _with_a_workload(cluster: Cluster, service: str) -> set[str]:
    found = set()
    for kind in WORKLOADS:
        for each in await _select(cluster, kind, names.selector(service)):
            labels = each["metadata"].get("labels") or {}
            if names.REVISION_LABEL in labels:
                found.add(str(labels[names.REVISION_LABEL]))
    return found


async def _names(cluster: Cluster, kind: Kind, service: str, revision: str) -> list[str]:
    found = await _select(cluster, kind, names.selector(service, revision))
    return [str(each["metadata"]["name"]) for each in found]


async def _select(cluster: Cluster, kind: Kind, labels: dict[str, str]) -> list[Object]:
    try:
        return await cluster.select(kind, labels)
    except (ForbiddenError, MissingKindError):
        return []  # without the kind, or the right to make it, there are none of ours
