"""What clouds would refuse about the plans of a stack file, and what does not go with them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from settings_model import settings_key
from tidegate.spec.cluster_plan import ClusterPlan
from tidegate.spec.cluster_rules import cluster_errors
from tidegate.spec.state_plan import StatePlan, state_errors

if TYPE_CHECKING:
    from settings import Settings


def plan_findings(settings: "Settings") -> Iterator[str]:
    """A sentence for each, which begins with the key."""
    if settings.state is not None:
        yield from _about_state(settings.state, settings)
        return
    if settings.cluster is not None:
        yield from _about_cluster(settings.cluster, settings)
    yield from _about_evidence(settings)


def _about_state(plan: StatePlan, settings: "Settings") -> Iterator[str]:
    key = settings_key("state")
    yield from (f"{key}.{each}" for each in state_errors(plan))
    if settings.model_fields_set != {"state"}:
        yield (
            f"{key}: cannot work: what the stack makes beside the bucket has its own state outside "
            "of it. Instead: give the bucket a stack of its own."
        )


def _about_cluster(plan: ClusterPlan, settings: "Settings") -> Iterator[str]:
    key = settings_key("cluster")
    yield from (f"{key}.{each}" for each in cluster_errors(plan, datetime.now(UTC)))
    if settings.platform is not None and settings.platform.local is not None:
        yield (
            f"{key}: cannot work: the platform is local. Instead: write platform.kubernetes, or "
            "give the cluster a stack of its own."
        )
    platform = settings.kubernetes
    if platform is not None and (platform.kubeconfig or platform.context or platform.cluster_stack):
        yield (
            f"{key}: cannot work: platform.kubernetes names another cluster. Instead: remove its "
            "kubeconfig, context and clusterStack, or give the cluster a stack of its own."
        )


def _about_evidence(settings: "Settings") -> Iterator[str]:
    """What another stack's cluster has is known when its outputs are, see `cluster_stack`."""
    platform, plan = settings.kubernetes, settings.cluster
    if platform is None or platform.evidence is not None or platform.cluster_stack is not None:
        return
    key = settings_key("platform", "kubernetes", "evidence")
    if plan is None:
        yield f"{key}: is missing. Instead: add it."
    elif plan.storage.cold is None:
        yield f"{key}: is missing. Instead: add it, or a bucket as cluster.storage.cold."
