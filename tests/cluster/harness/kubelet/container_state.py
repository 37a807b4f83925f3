"""What the stand-in reports about a container and its pod; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.harness.kubelet.manifest import Manifest, now

SIGNALLED = 128
"""Exit codes of processes that a signal ended are 128 and the signal's number."""


def exit_code(return_code: int) -> int:
    return return_code if return_code >= 0 else SIGNALLED - return_code


@dataclass
class ContainerState:
    """`state` and `last_state` are as in `containerStatuses`."""

    name: str
    image: str
    is_sidecar: bool = False
    state: Manifest = field(default_factory=lambda: waiting("ContainerCreating"))
    last_state: Manifest = field(default_factory=dict)
    ready: bool = False
    started: bool = False
    restarts: int = 0

    @property
    def terminated(self) -> Manifest | None:
        found: Manifest | None = self.state.get("terminated")
        return found

    @property
    def has_succeeded(self) -> bool:
        return self.terminated is not None and self.terminated["exitCode"] == 0

    def as_status(self) -> Manifest:
        return {
            "name": self.name,
            "image": self.image,
            "imageID": self.image,
            "state": self.state,
            "lastState": self.last_state,
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
        }


def waiting(reason: str, message: str = "") -> Manifest:
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def running() -> Manifest:
    return {"running": {"startedAt": now()}}


def ended(code: int, message: str, started_at: str, reason: str | None = None) -> Manifest:
    reason = reason or ("Completed" if code == 0 else "Error")
    detail: dict[str, Any] = {"exitCode": code, "reason": reason}
    if message:
        detail["message"] = message
    return {"terminated": {**detail, "startedAt": started_at, "finishedAt": now()}}


def phase(
    restart_policy: str, init: Sequence[ContainerState], main: Sequence[ContainerState]
) -> str:
    """The pod's phase while its kubelet runs it."""
    failed_init = [each for each in init if each.terminated and not each.has_succeeded]
    if failed_init and restart_policy == "Never":
        return "Failed"
    if all(each.terminated for each in main) and restart_policy != "Always":
        if all(each.has_succeeded for each in main):
            return "Succeeded"
        if restart_policy == "Never":
            return "Failed"
    started = any("waiting" not in each.state or each.restarts for each in main)
    return "Running" if started else "Pending"


def pod_conditions(
    pod_phase: str,
    init: Sequence[ContainerState],
    main: Sequence[ContainerState],
    has_network: bool,
) -> dict[str, tuple[bool, str]]:
    """Status and reason of each condition that a kubelet owns."""
    initialized = all(each.has_succeeded or (each.is_sidecar and each.started) for each in init)
    everyone = [*main, *(each for each in init if each.is_sidecar)]
    ready = initialized and all(each.ready for each in everyone)
    if pod_phase == "Succeeded":
        reason = "PodCompleted"
    elif pod_phase == "Failed":
        reason = "PodFailed"
    else:
        reason = "" if ready else "ContainersNotReady"
    alive = pod_phase not in {"Succeeded", "Failed"}
    return {
        "PodReadyToStartContainers": (has_network and alive, ""),
        "Initialized": (initialized, "" if initialized else "ContainersNotInitialized"),
        "ContainersReady": (ready and alive, reason),
        "Ready": (ready and alive, reason),
    }
