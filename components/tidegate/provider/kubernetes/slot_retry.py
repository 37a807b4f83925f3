"""A new attempt, at once, at what Kubernetes has put off.

Kubernetes tries again by itself, but ever more rarely: a kubelet waits up to 300 s until it pulls
an image or starts a container again, a ReplicaSet's controller up to 1000 s until it makes a pod
that was refused. Whoever has mended the cause and updates again is not told of an attempt that was
made before, and does not wait for the next one.
"""

from datetime import UTC, datetime

from tidegate.cluster.client import Cluster
from tidegate.cluster.kinds import POD
from tidegate.provider.kubernetes.diagnosis.pods import pod_trouble
from tidegate.provider.kubernetes.diagnosis.slots import SlotObserved
from tidegate.provider.kubernetes.diagnosis.trouble import Object, name_of
from tidegate.provider.kubernetes.slot_observer import WORKLOADS

RETRIED_ANNOTATION = "tidegate.dev/retried-at"


async def try_again(cluster: Cluster, workload_kind: str, observed: SlotObserved) -> None:
    """Replace pods whose containers are backed off, and have those made that were refused.

    Such a pod serves nobody, and its successor is a new one without a back-off. A change of its
    metadata makes a controller look at an object at once. Raises ClusterError.
    """
    for each in pods_backed_off(observed):
        await cluster.delete(POD, name_of(each))
    kind, maker_kind = WORKLOADS[workload_kind]
    touched = {"metadata": {"annotations": {RETRIED_ANNOTATION: datetime.now(UTC).isoformat()}}}
    for each in observed.makers:
        await cluster.patch(maker_kind, name_of(each), touched)
    if observed.workload is not None:
        await cluster.patch(kind, name_of(observed.workload), touched)


def pods_backed_off(observed: SlotObserved) -> list[Object]:
    """Those of which the next attempt may be minutes away."""
    found = [(each, pod_trouble(each, observed.events)) for each in observed.pods]
    return [each for each, trouble in found if trouble is not None and trouble.is_lasting]
