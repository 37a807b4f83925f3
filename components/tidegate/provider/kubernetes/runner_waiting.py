"""Why the pod of a gate or a switch does not begin, from what the cluster's events say."""

from tidegate.cluster.client import Cluster
from tidegate.cluster.errors import ClusterError
from tidegate.cluster.kinds import EVENT
from tidegate.jobs.runner_state import RunnerState
from tidegate.provider.kubernetes.diagnosis.pods import pod_trouble
from tidegate.provider.kubernetes.diagnosis.trouble import events_about, newest_message


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
