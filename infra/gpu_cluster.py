"""A cluster with GPUs that the stack declares itself, on AWS or on Google Cloud."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pulumi

from tidegate.spec.cluster_plan import ClusterPlan
from tidegate.spec.workload_identity import WorkloadIdentity

if TYPE_CHECKING:
    from tidegate.aws.gpu_cluster import GpuCluster as AwsCluster
    from tidegate.gcp.gpu_cluster import GpuCluster as GcpCluster

    GpuCluster = AwsCluster | GcpCluster


def make_gpu_cluster(plan: ClusterPlan, workloads: Sequence[WorkloadIdentity]) -> "GpuCluster":
    """The cluster, with a provider for its region alone."""
    return _on_aws(plan, workloads) if plan.cloud == "aws" else _on_gcp(plan, workloads)


# The clouds' SDKs are loaded where they are used: a stack has one of them, or none.


def _on_aws(plan: ClusterPlan, workloads: Sequence[WorkloadIdentity]) -> "GpuCluster":
    import pulumi_aws

    from tidegate.aws.gpu_cluster import GpuCluster as AwsCluster
    from tidegate.aws.gpu_cluster import GpuClusterArgs

    provider = pulumi_aws.Provider(plan.name, region=plan.region)
    cluster = AwsCluster(
        plan.name,
        GpuClusterArgs(plan=plan, workloads=workloads),
        pulumi.ResourceOptions(providers=[provider]),
    )
    # GKE shares GPUs itself; on EKS whoever installs the GPU operator has to tell it.
    pulumi.export("gpuOperatorValues", dict(cluster.gpu_operator_values))
    return cluster


def _on_gcp(plan: ClusterPlan, workloads: Sequence[WorkloadIdentity]) -> "GpuCluster":
    import pulumi_gcp

    from tidegate.gcp.gpu_cluster import GpuCluster as GcpCluster
    from tidegate.gcp.gpu_cluster import GpuClusterArgs

    provider = pulumi_gcp.Provider(plan.name, project=plan.project, region=plan.region)
    return GcpCluster(
        plan.name,
        GpuClusterArgs(plan=plan, workloads=workloads),
        pulumi.ResourceOptions(providers=[provider]),
    )
