"""The objects that slots consist of, found by their labels."""

from tidegate.cluster import names
from tidegate.cluster.client import Cluster, Object
from tidegate.cluster.errors import ForbiddenError, MissingKindError
from tidegate.cluster.kinds import CONFIG_MAP, DEPLOYMENT, LEADER_WORKER_SET, SERVICE, Kind

PARTS: tuple[Kind, ...] = (
    DEPLOYMENT,
    LEADER_WORKER_SET,
    CONFIG_MAP,
    Kind("", "v1", "ServiceAccount", "serviceaccounts"),
    Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
    SERVICE,
)
"""In the order of their removal. The Service is made first: slots are found by it."""


async def revisions_with_a_slot(cluster: Cluster, service: str) -> set[str]:
    """Raises ClusterError."""
    found = await select_ours(cluster, SERVICE, names.selector(service))
    labels = [each["metadata"].get("labels") or {} for each in found]
    return {str(each[names.REVISION_LABEL]) for each in labels if names.REVISION_LABEL in each}


async def remove_slot(cluster: Cluster, service: str, revision: str) -> None:
    """Remove what is there of a slot. Records of gates and drains are none of it.

    Raises ClusterError.
    """
    for kind in PARTS:
        for each in await select_ours(cluster, kind, names.selector(service, revision)):
            if names.RECORD_LABEL not in each["metadata"]["labels"]:
                await cluster.delete(kind, str(each["metadata"]["name"]))


async def select_ours(cluster: Cluster, kind: Kind, labels: dict[str, str]) -> list[Object]:
    """Empty where the cluster lacks the kind, or we the right to it. Raises ClusterError."""
    try:
        return await cluster.select(kind, labels)
    except (ForbiddenError, MissingKindError):
        return []  # what cannot be made here was never made
