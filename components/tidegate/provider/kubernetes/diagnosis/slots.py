"""What keeps a slot from being ready: its workload, its pods, the Service in front of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.cluster.endpoints import count_ready
from tidegate.provider.kubernetes.diagnosis.pods import is_ready, pod_trouble
from tidegate.provider.kubernetes.diagnosis.pools import NO_POOLS, Pools
from tidegate.provider.kubernetes.diagnosis.trouble import (
    Object,
    Trouble,
    events_about,
    newest_message,
    one_line,
)


@dataclass(frozen=True)
class SlotObserved:
    """A slot's objects as one moment showed them.

    `workload` is a Deployment or a LeaderWorkerSet, None when there is none. `makers` are the
    objects that it makes its pods with: ReplicaSets, StatefulSets. `events` are the namespace's.
    """

    workload: Object | None
    makers: Sequence[Object]
    pods: Sequence[Object]
    endpoint_slices: Sequence[Object]
    events: Sequence[Object]

    @property
    def ready_pods(self) -> int:
        return sum(is_ready(each) for each in self.pods)

    @property
    def is_settled(self) -> bool:
        """Whether the workload's status is about its latest specification."""
        if self.workload is None:
            return False
        status = self.workload.get("status") or {}
        seen = status.get("observedGeneration")
        return seen is None or seen >= self.workload["metadata"].get("generation", 0)


@dataclass(frozen=True)
class SlotWanted:
    """What a slot must reach. `pods` counts all of them, those of every replica's group."""

    workload_kind: str
    workload_name: str
    service_name: str
    pods: int
    pools: Pools = NO_POOLS


def is_slot_ready(observed: SlotObserved, wanted: SlotWanted) -> bool:
    return (
        observed.is_settled
        and observed.ready_pods >= wanted.pods
        and (wanted.pods == 0 or count_ready(observed.endpoint_slices).total() > 0)
    )


def slot_trouble(observed: SlotObserved, wanted: SlotWanted) -> Trouble | None:
    """The cause that says most; None when everything is still starting."""
    what = f"{wanted.workload_kind} {wanted.workload_name}"
    if observed.workload is None:
        return Trouble(f"there is no {what}{_how_to_have_it(wanted)}", is_lasting=True)
    if len(observed.pods) < wanted.pods:
        refused = _creation_refused(observed)
        if refused is not None:
            return Trouble(f"{what} cannot make its pods: {refused}", is_lasting=True)
    found = [pod_trouble(each, observed.events, wanted.pools) for each in observed.pods]
    troubles = [each for each in found if each is not None]
    if troubles:
        return max(troubles, key=lambda each: each.is_lasting)
    if observed.is_settled and observed.ready_pods >= wanted.pods > 0:
        return Trouble(
            f"Service {wanted.service_name} sends requests to none of the ready pods: compare its "
            f"selector with the labels of {what}'s pods",
            is_lasting=True,
        )
    return None


def _how_to_have_it(wanted: SlotWanted) -> str:
    """What tidegate makes has the name of its Service; the engine believes that it is still there,
    and makes it again only after a refresh."""
    if wanted.workload_name == wanted.service_name:
        return "; somebody has deleted it: `pulumi up --refresh` makes it again"
    return "; make it, or name another one under `kubernetes.existing`"


def _creation_refused(observed: SlotObserved) -> str | None:
    """Why the API server takes no further pod: quota, webhook, policy, missing account."""
    for item in (observed.workload, *observed.makers):
        if item is None:
            continue
        for condition in (item.get("status") or {}).get("conditions") or ():
            if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
                return _explained(str(condition.get("message") or ""))
    for item in (*observed.makers, observed.workload):
        if item is not None:
            said = newest_message(events_about(observed.events, item), "FailedCreate")
            if said is not None:
                return _explained(said)
    return None


def _explained(message: str) -> str:
    said = one_line(message)
    if "exceeded quota" in said:
        return f"{said}. Free some of the quota, or have it raised"
    if "admission webhook" in said or "failed calling webhook" in said:
        return f"{said}. Whoever runs that webhook can say why"
    if "ValidatingAdmissionPolicy" in said:
        return f"{said}. Whoever made that policy can say why"
    if "violates PodSecurity" in said:
        return f"{said}. The namespace's pod security level does not allow these pods"
    if "looking up service account" in said:
        return f"{said}. Make that ServiceAccount, or name one that is there as serviceAccount"
    return said
