"""One example of every component on AWS, for the contract that all components keep."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pulumi

from tests.unit.spec.cluster_documents import aws, pool, resolved
from tidegate.aws.addon_versions import addon_versions
from tidegate.aws.addons import Addons, AddonsArgs
from tidegate.aws.buckets import Bucket, BucketArgs
from tidegate.aws.cluster import Cluster, ClusterArgs
from tidegate.aws.fabric_security import FabricSecurity, FabricSecurityArgs
from tidegate.aws.gpu_cluster import GpuCluster, GpuClusterArgs
from tidegate.aws.identity import NodeIdentity, NodeIdentityArgs, PodIdentity, PodIdentityArgs
from tidegate.aws.karpenter import Karpenter, KarpenterArgs
from tidegate.aws.keys import Keys, KeysArgs
from tidegate.aws.network import Network, NetworkArgs
from tidegate.aws.node_pools import (
    NodeGroupSite,
    NodePool,
    NodePoolArgs,
    SystemNodes,
    SystemNodesArgs,
)
from tidegate.aws.registry import Registry, RegistryArgs
from tidegate.aws.state_bucket import StateBucket, StateBucketArgs
from tidegate.aws.storage import Storage, StorageArgs
from tidegate.aws.volumes import LustreVolume, Volumes, VolumesArgs
from tidegate.spec.cluster_plan import parse_cluster
from tidegate.spec.network_plan import NetworkPlan
from tidegate.spec.node_pool import SystemPool
from tidegate.spec.state_plan import StatePlan
from tidegate.spec.storage_tiers import Efs, FsxLustre, ObjectBucket, StorageTiers
from tidegate.spec.workload_identity import WorkloadIdentity

REGION = "us-east-2"
ZONES = ("us-east-2a", "us-east-2b", "us-east-2c")
KEY = "arn:aws:kms:us-east-2:123456789012:key/key"
TAGS = {"owner": "platform", "tidegate-cluster": "prod"}
SUBNETS = {zone: f"subnet-{zone}" for zone in ZONES}
COLD = ObjectBucket(name_prefix="releases", lock_days=30)
TIERS = StorageTiers(
    hot=FsxLustre(capacity_gib=2400, throughput=250, zone=ZONES[0], repository_prefix="data"),
    warm=Efs(),
    cold=COLD,
)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)

STATE = StatePlan.model_validate(
    {
        "name": "acme-state",
        "cloud": "aws",
        "region": REGION,
        "ownership": {"owner": "platform", "team": "serving", "environment": "shared"},
    }
)


def document() -> dict[str, Any]:
    fabric = pool("p5.48xlarge", zones=[ZONES[0]], fabric={"kind": "efa"})
    elastic = pool(
        "g6.12xlarge", name="l4", purpose="inference", nodes={"min": 0, "max": 4}, elastic=True
    )
    storage = {"cold": {"kind": "bucket", "namePrefix": "releases"}}
    return aws(fabric, elastic, storage=storage)


def site() -> NodeGroupSite:
    return NodeGroupSite(
        cluster="prod",
        role_arn="arn:aws:iam::123456789012:role/nodes",
        subnets=SUBNETS,
        cluster_group="sg-cluster",
        tags=TAGS,
    )


def node_pool_arguments() -> NodePoolArgs:
    (found, _) = resolved(document())
    assert found.eks is not None
    return NodePoolArgs(now=NOW, site=site(), pool=found, plan=found.eks, fabric_group="sg-efa")


def karpenter_arguments() -> KarpenterArgs:
    return KarpenterArgs(
        cluster="prod",
        cluster_arn="arn:aws:eks:us-east-2:123456789012:cluster/prod",
        discovery="prod",
        region=REGION,
        node_role_name="nodes",
        node_role_arn="arn:aws:iam::123456789012:role/nodes",
        node_group="sg-cluster",
        pools=[resolved(document())[1]],
        tags=TAGS,
        needs=[],
    )


def storage_arguments() -> StorageArgs:
    return StorageArgs(
        plan=TIERS,
        vpc_id="vpc-1",
        subnets=SUBNETS,
        regional_subnets=SUBNETS,
        client_groups={"nodes": "sg-cluster"},
        key=KEY,
        tags=TAGS,
        protect=True,
    )


def volumes_arguments() -> VolumesArgs:
    lustre = LustreVolume(id="fs-1", dns_name="fs-1.fsx", mount_name="abc", capacity_gib=2400)
    return VolumesArgs(
        lustre=lustre,
        shared="fs-2",
        bucket="releases",
        bucket_locked=False,
        region=REGION,
        labels=TAGS,
    )


def cluster_arguments() -> ClusterArgs:
    return ClusterArgs(
        region=REGION,
        kubernetes_version="1.34",
        services_cidr="172.20.0.0/16",
        subnets=list(SUBNETS.values()),
        key=KEY,
        admin_cidrs=["203.0.113.0/24"],
        admins=["arn:aws:iam::123456789012:role/platform"],
        tags=TAGS,
        protect=True,
    )


def gpu_cluster_arguments() -> GpuClusterArgs:
    runner = WorkloadIdentity(namespace="inference", service_account="runner", access="append")
    return GpuClusterArgs(plan=parse_cluster(document()), workloads=[runner], now=NOW)


AWS_EXAMPLES: dict[type[pulumi.ComponentResource], tuple[type, Callable[[], Any]]] = {
    Addons: (
        AddonsArgs,
        lambda: AddonsArgs(
            cluster="prod",
            region=REGION,
            names=["vpc-cni", "aws-ebs-csi-driver"],
            versions=addon_versions("1.34", {}),
            tags=TAGS,
        ),
    ),
    Bucket: (BucketArgs, lambda: BucketArgs(plan=COLD, key=KEY, tags=TAGS, protect=True)),
    Cluster: (ClusterArgs, cluster_arguments),
    FabricSecurity: (FabricSecurityArgs, lambda: FabricSecurityArgs(vpc_id="vpc-1", tags=TAGS)),
    GpuCluster: (GpuClusterArgs, gpu_cluster_arguments),
    Karpenter: (KarpenterArgs, karpenter_arguments),
    Keys: (
        KeysArgs,
        lambda: KeysArgs(cluster="prod", region=REGION, linked=True, tags=TAGS, protect=True),
    ),
    Network: (
        NetworkArgs,
        lambda: NetworkArgs(
            cluster="prod", region=REGION, zones=ZONES, plan=NetworkPlan(), tags=TAGS
        ),
    ),
    NodeIdentity: (NodeIdentityArgs, lambda: NodeIdentityArgs(region=REGION, tags=TAGS)),
    NodePool: (NodePoolArgs, node_pool_arguments),
    PodIdentity: (
        PodIdentityArgs,
        lambda: PodIdentityArgs(
            cluster="prod", namespace="inference", service_account="runner", tags=TAGS
        ),
    ),
    Registry: (
        RegistryArgs,
        lambda: RegistryArgs(cluster="prod", images=["runner"], tags=TAGS, key=KEY, protect=True),
    ),
    StateBucket: (StateBucketArgs, lambda: StateBucketArgs(plan=STATE)),
    Storage: (StorageArgs, storage_arguments),
    SystemNodes: (SystemNodesArgs, lambda: SystemNodesArgs(site=site(), pool=SystemPool())),
    Volumes: (VolumesArgs, volumes_arguments),
}
"""Component class → its arguments' class, and what makes such arguments."""
