"""Tags by which a resource is found again, also when no state knows of it."""

from collections.abc import Mapping

from tidegate.spec.cluster_plan import ClusterPlan

CLUSTER_TAG = "tidegate-cluster"


def tags_of(plan: ClusterPlan) -> dict[str, str]:
    """Tags of every resource that takes them."""
    return {**plan.ownership.labels(), CLUSTER_TAG: plan.name}


def named(tags: Mapping[str, str], name: str) -> dict[str, str]:
    """With the name that AWS's own tools show."""
    return {**tags, "Name": name}
