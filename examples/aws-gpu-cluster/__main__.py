"""An EKS cluster for GPUs, and what other programs need of it."""

from pathlib import Path

import pulumi
import pulumi_aws

from tidegate.aws.gpu_cluster import GpuCluster, GpuClusterArgs
from tidegate.kubernetes.cluster_outputs import ClusterOutputs
from tidegate.spec.cluster_plan import load_cluster

plan = load_cluster(Path("cluster.yaml"))
provider = pulumi_aws.Provider("aws", region=plan.region)
cluster = GpuCluster(
    plan.name, GpuClusterArgs(plan=plan), pulumi.ResourceOptions(providers=[provider])
)
for output, value in ClusterOutputs.of(cluster).exported().items():
    pulumi.export(output, value)
