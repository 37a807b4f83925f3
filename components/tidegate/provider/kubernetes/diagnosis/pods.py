"""What keeps one pod from being ready."""

from collections.abc import Iterator, Sequence
from typing import Any

from tidegate.provider.kubernetes.diagnosis.pools import NO_POOLS, Pools, advice
from tidegate.provider.kubernetes.diagnosis.trouble import (
    LogSource,
    Object,
    Trouble,
    events_about,
    name_of,
    newest_message,
    one_line,
)

IMAGE_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
)
CONFIG_REASONS = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
)
CRASHES = 3
"""So often a container has to end before a crash is more than an accident."""


def is_ready(pod: Object) -> bool:
    return _condition(pod, "Ready").get("status") == "True"


def pod_trouble(
    pod: Object,
    events: Sequence[Object],
    pools: Pools = NO_POOLS,
) -> Trouble | None:
    """None for a pod that is ready, or of which nothing is known but that it is starting.

    `events` may be those of the whole namespace.
    """
    if is_ready(pod):
        return None
    name, own = f"Pod {name_of(pod)}", events_about(events, pod)
    status = pod.get("status") or {}
    if status.get("phase") == "Failed" and status.get("reason"):
        said = one_line(str(status.get("message") or "no reason given"))
        return Trouble(f"{name} has failed ({status['reason']}): {said}", is_lasting=False)
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        said = one_line(str(scheduled.get("message") or ""))
        return _unscheduled(pod, said, events, pools)
    for kind, container in _containers(status):
        trouble = _container_trouble(pod, f"{kind} {container['name']} of {name}", container, own)
        if trouble is not None:
            return trouble
    for what, reasons in (
        ("cannot mount its volumes", ("FailedMount", "FailedAttachVolume")),
        ("cannot be set up on its node", ("FailedCreatePodSandBox",)),
        ("is not ready", ("Unhealthy",)),
        ("is on a node that is not ready", ("NodeNotReady",)),
    ):
        said_by_event = newest_message(own, *reasons)
        if said_by_event is not None:
            return Trouble(f"{name} {what}: {said_by_event}", is_lasting=False)
    return None


def _unscheduled(
    pod: Object,
    said: str,
    events: Sequence[Object],
    pools: Pools,
) -> Trouble:
    name = f"Pod {name_of(pod)}"
    if "ersistent" in said and "laim" in said:
        claims = [
            str(volume["persistentVolumeClaim"]["claimName"])
            for volume in pod["spec"].get("volumes") or ()
            if volume.get("persistentVolumeClaim")
        ]
        about = [
            each for each in events if each["involvedObject"].get("kind") == "PersistentVolumeClaim"
        ]
        why = newest_message(
            [each for each in about if each["involvedObject"].get("name") in claims],
            "ProvisioningFailed",
            "FailedBinding",
        )
        volume = f"PersistentVolumeClaim {', '.join(claims)}: {why or said}"
        mend = "Mend the claim, or name another one as model.persistentVolumeClaim"
        return Trouble(f"{name} waits for its volume: {volume}. {mend}", is_lasting=False)
    more = advice(pod, pools)
    tail = f". {more}" if more else ""
    return Trouble(f"{name} cannot be scheduled: {said or 'no reason given'}{tail}", False)


def _containers(status: Object) -> Iterator[tuple[str, Object]]:
    for each in status.get("initContainerStatuses") or ():
        yield "Init container", each
    for each in status.get("containerStatuses") or ():
        yield "Container", each


def _container_trouble(
    pod: Object, what: str, container: Object, events: Sequence[Object]
) -> Trouble | None:
    state: dict[str, Any] = container.get("state") or {}
    waiting = state.get("waiting") or {}
    reason, said = waiting.get("reason"), one_line(str(waiting.get("message") or ""))
    if reason in IMAGE_REASONS:
        pulled = newest_message(
            [each for each in events if "pull image" in str(each.get("message"))], "Failed"
        )
        return Trouble(
            f"{what} cannot start: its image {container['image']} cannot be pulled: "
            f"{pulled or said or reason}",
            is_lasting=True,
        )
    if reason in CONFIG_REASONS:
        return Trouble(f"{what} cannot start: {said or reason}", is_lasting=True)
    ended = state.get("terminated") or (container.get("lastState") or {}).get("terminated")
    if not ended or ended.get("exitCode") == 0 or (state.get("running") and container.get("ready")):
        return None
    count = int(container.get("restartCount") or 0) + (1 if state.get("terminated") else 0)
    times = "once" if count <= 1 else f"{count} times"
    why = f"exit code {ended['exitCode']}"
    if ended.get("reason") not in {None, "Error"}:
        why = f"{ended['reason']}, {why}"
    if ended.get("message"):
        why = f"{why}: {one_line(str(ended['message']))}"
    return Trouble(
        f"{what} has failed {times} ({why})",
        is_lasting=count >= CRASHES,
        logs=LogSource(name_of(pod), str(container["name"])),
    )


def _condition(pod: Object, kind: str) -> Object:
    conditions: Sequence[Object] = (pod.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each["type"] == kind), {})
