"""A cluster with GPUs that the stack declares itself, on AWS or on Google Cloud."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import pulumi
import pulumi_kubernetes

from tidegate.spec.accelerator_pool import AcceleratorPool
from tidegate.spec.cluster_plan import ClusterPlan
from tidegate.spec.cluster_rules import cluster_errors
from tidegate.spec.workload_identity import WorkloadIdentity


class GpuCluster(Protocol):
    """What the clusters of all clouds have in common."""

    kubeconfig: pulumi.Output[str]
    cluster_name: pulumi.Output[str]
    pools: tuple[AcceleratorPool, ...]
    kubernetes_provider: pulumi_kubernetes.Provider
    release_bucket_url: pulumi.Output[str] | None
    registry_url: pulumi.Output[str]

    @property
    def storage_classes(self) -> Any: ...


def cluster_findings(plan: ClusterPlan) -> list[str]:
    """What the cloud would refuse about the plan, one sentence each."""
    return [str(each) for each in cluster_errors(plan, datetime.now(UTC))]


def make_gpu_cluster(plan: ClusterPlan, workloads: Sequence[WorkloadIdentity]) -> GpuCluster:
    """The cluster, with a provider for its region alone."""
    make = {"aws": _on_aws, "gcp": _on_gcp}[plan.cloud]
    return make(plan, workloads)


def export_gpu_cluster(cluster: GpuCluster) -> None:
    """What other stacks and people need; nothing of it is a secret."""
    pulumi.export("clusterName", cluster.cluster_name)
    pulumi.export("kubeconfig", cluster.kubeconfig)
    pools = [each.model_dump(mode="json", by_alias=True) for each in cluster.pools]
    pulumi.export("pools", pools)
    pulumi.export("storageClasses", dict(cluster.storage_classes))
    pulumi.export("releaseBucketUrl", cluster.release_bucket_url)
    pulumi.export("registryUrl", cluster.registry_url)


# The clouds' SDKs are loaded where they are used: a stack has one of them, or none.


def _on_aws(plan: ClusterPlan, workloads: Sequence[WorkloadIdentity]) -> GpuCluster:
    import pulumi_aws

    from tidegate.aws.gpu_cluster import GpuCluster as AwsCluster
    from tidegate.aws.gpu_cluster import GpuClusterArgs

    provider = pulumi_aws.Provider(plan.name, region=plan.region)
    return AwsCluster(
        plan.name,
        GpuClusterArgs(plan=plan, workloads=workloads),
        pulumi.ResourceOptions(providers=[provider]),
    )


def _on_gcp(plan: ClusterPlan, workloads: Sequence[WorkloadIdentity]) -> GpuCluster:
    import pulumi_gcp

    from tidegate.gcp.gpu_cluster import GpuCluster as GcpCluster
    from tidegate.gcp.gpu_cluster import GpuClusterArgs

    provider = pulumi_gcp.Provider(plan.name, project=plan.project, region=plan.region)
    return GcpCluster(
        plan.name,
        GpuClusterArgs(plan=plan, workloads=workloads),
        pulumi.ResourceOptions(providers=[provider]),
    )
