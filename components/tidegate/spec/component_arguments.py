"""What the clusters' components of both clouds ask of their arguments, beyond the plan's rules."""

from collections import Counter
from collections.abc import Sequence

from tidegate.spec.catalogue import Cloud
from tidegate.spec.cluster_plan import ClusterPlan
from tidegate.spec.errors import SpecError
from tidegate.spec.name_rules_aws import workload_findings
from tidegate.spec.refusals import refuse
from tidegate.spec.workload_identity import WorkloadIdentity

_NAMES: dict[Cloud, str] = {"aws": "AWS", "gcp": "Google Cloud"}


def check_component_arguments(
    cloud: Cloud, plan: ClusterPlan, workloads: Sequence[WorkloadIdentity]
) -> None:
    """Raise SpecError for another cloud's plan, and for workloads that cannot be."""
    if plan.cloud != cloud:
        raise SpecError(
            "cloud",
            plan.cloud,
            f"this component makes clusters on {_NAMES[cloud]}",
            f"cloud: {cloud}, or GpuCluster of tidegate.{plan.cloud}.gpu_cluster",
        )
    if workloads and plan.storage.cold is None:
        raise SpecError(
            "workloads",
            workloads[0].name,
            "the cluster has no bucket that they could use",
            "storage.cold, or no workloads",
        )
    for name, count in Counter(each.name for each in workloads).items():
        if count > 1:
            raise SpecError(
                "workloads",
                name,
                f"{count} of them are this service account, and it has one access",
                "each service account once, with the larger access",
            )
    if cloud == "aws":
        refuse(workload_findings(plan, workloads))
