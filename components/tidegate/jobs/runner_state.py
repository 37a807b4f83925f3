"""What a Job and its pods say about the runner in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.cluster.client import Cluster, Object
from tidegate.cluster.kinds import JOB, POD

NODE_LOST_REASONS = frozenset({"DeletionByTaintManager", "DeletionByPodGC"})
"""Of the condition DisruptionTarget (Kubernetes: Pod disruption conditions)."""
ENDINGS = ("Complete", "Failed", "SuccessCriteriaMet", "FailureTarget")
"""Conditions of a Job that will make no further pod. The last two are there before pods on a lost
node are known to have ended, which may never be."""
JOB_NAME_LABEL = "batch.kubernetes.io/job-name"


@dataclass(frozen=True)
class RunnerState:
    """One look at a Job; `job` is None when it has gone."""

    job: Object | None
    pods: Sequence[Object]

    @property
    def has_ended(self) -> bool:
        """Whether the Job's controller will make no further pod."""
        return self.job is None or _condition(self.job, *ENDINGS) is not None

    @property
    def has_begun(self) -> bool:
        """Whether a runner has run at all."""
        return any(
            "running" in state or "terminated" in state
            for pod in self.pods
            for state in _container_states(pod)
        )

    @property
    def is_running(self) -> bool:
        """Whether a runner runs, as far as its kubelet has said."""
        return any("running" in state for pod in self.pods for state in _container_states(pod))

    @property
    def waits_for(self) -> str | None:
        """What the newest pod itself says it waits for; None when it says nothing."""
        if not self.pods:
            return None
        pod = self.pods[-1]
        name = f"Pod {pod['metadata']['name']}"
        for each in (pod.get("status") or {}).get("conditions") or ():
            if each["type"] == "PodScheduled" and each["status"] == "False":
                return f"{name} has no node: {_one_line(str(each.get('message') or ''))}"
        for state in _container_states(pod):
            waiting = state.get("waiting") or {}
            if waiting.get("reason"):
                said = _one_line(str(waiting.get("message") or ""))
                return f"{name} waits ({waiting['reason']})" + (f": {said}" if said else "")
        return None

    @property
    def termination_message(self) -> str | None:
        """What the last runner left behind, None when none has ended with a word."""
        for pod in reversed(self.pods):
            for state in _container_states(pod):
                ended = state.get("terminated") or {}
                if ended.get("message"):
                    return str(ended["message"])
        return None


async def look(cluster: Cluster, job_name: str) -> RunnerState:
    """Raises ClusterError."""
    job = await cluster.find(JOB, job_name)
    pods = await cluster.select(POD, {JOB_NAME_LABEL: job_name})
    return RunnerState(job, sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"]))


def why_it_ended(state: RunnerState, job_name: str) -> str:
    """Why there is no result, from a state that has ended."""
    if state.job is None:
        return f"Job {job_name} was deleted"
    for pod in reversed(state.pods):
        name, status = f"Pod {pod['metadata']['name']}", pod.get("status") or {}
        if status.get("reason") == "Evicted":
            return f"{name} was evicted: {_one_line(str(status.get('message') or ''))}"
        disrupted = _condition(pod, "DisruptionTarget")
        if disrupted is not None:
            why = "its node was lost" if disrupted.get("reason") in NODE_LOST_REASONS else "evicted"
            return f"{name} was ended, {why}: {_one_line(str(disrupted.get('message') or ''))}"
        for state_of in _container_states(pod):
            ended = state_of.get("terminated")
            if ended:
                reason, code = ended.get("reason") or "Error", ended.get("exitCode")
                last = _one_line(str(ended.get("message") or ""))
                if last and code == 0:
                    return f"{name} gave up: {last}"
                words = f"{name} ended ({reason}, exit code {code})"
                return f"{words}: {last}" if last else words
    failed = _condition(state.job, "Failed", "FailureTarget")
    said = _one_line(str((failed or {}).get("message") or "its pod has gone"))
    return f"Job {job_name} failed: {said}"


def _condition(item: Object, *types: str) -> Object | None:
    """The first condition of these types that holds."""
    conditions: Sequence[Object] = (item.get("status") or {}).get("conditions") or ()
    for each in conditions:
        if each["type"] in types and each["status"] == "True":
            return each
    return None


def _container_states(pod: Object) -> list[dict[str, Any]]:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return [dict(each.get("state") or {}) for each in statuses]


def _one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(". ")
