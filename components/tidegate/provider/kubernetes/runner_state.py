"""What a Job and its pods say about the runner in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.cluster.client import Cluster
from tidegate.cluster.errors import ClusterError
from tidegate.cluster.kinds import EVENT, JOB, POD
from tidegate.provider.kubernetes.diagnosis.pods import pod_trouble
from tidegate.provider.kubernetes.diagnosis.trouble import (
    Object,
    events_about,
    newest_message,
    one_line,
)

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


async def why_it_does_not_begin(cluster: Cluster, state: RunnerState) -> str | None:
    """What keeps the Job's pod from running; None when nothing is known, or it cannot be asked."""
    if state.job is None:
        return None
    try:
        events = await cluster.select(EVENT)
    except ClusterError:
        return None
    for pod in state.pods:
        trouble = pod_trouble(pod, events)
        if trouble is not None:
            return trouble.sentence
    said = newest_message(events_about(events, state.job), "FailedCreate")
    return f"Job {state.job['metadata']['name']} cannot make its pod: {said}" if said else None


def why_it_ended(state: RunnerState, job_name: str) -> str:
    """Why there is no result, from a state that has ended."""
    if state.job is None:
        return f"Job {job_name} was deleted"
    for pod in reversed(state.pods):
        name, status = f"Pod {pod['metadata']['name']}", pod.get("status") or {}
        if status.get("reason") == "Evicted":
            return f"{name} was evicted: {one_line(str(status.get('message') or ''))}"
        disrupted = _condition(pod, "DisruptionTarget")
        if disrupted is not None:
            why = "its node was lost" if disrupted.get("reason") in NODE_LOST_REASONS else "evicted"
            return f"{name} was ended, {why}: {one_line(str(disrupted.get('message') or ''))}"
        for state_of in _container_states(pod):
            ended = state_of.get("terminated")
            if ended:
                reason = ended.get("reason") or "Error"
                return f"{name} ended ({reason}, exit code {ended.get('exitCode')})"
    failed = _condition(state.job, "Failed", "FailureTarget")
    said = one_line(str((failed or {}).get("message") or "its pod has gone"))
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
