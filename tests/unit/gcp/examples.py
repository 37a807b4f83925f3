"""One example of every component on Google Cloud, for the contract that all components keep."""

from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_kubernetes

from tests.unit.spec.cluster_documents import NOW, gcp, pool, resolved
from tidegate.gcp.bucket import Bucket, BucketArgs
from tidegate.gcp.cluster import Cluster, ClusterArgs
from tidegate.gcp.file_systems import MountedShare, ServiceConnection, ServiceConnectionArgs
from tidegate.gcp.gpu_cluster import GpuCluster, GpuClusterArgs
from tidegate.gcp.gpu_networks import GpuNetworks, GpuNetworksArgs
from tidegate.gcp.identity import NodeIdentity, NodeIdentityArgs, WorkloadAccess, WorkloadAccessArgs
from tidegate.gcp.keys import Keys, KeysArgs
from tidegate.gcp.network import Network, NetworkArgs
from tidegate.gcp.node_config import NodeSurroundings
from tidegate.gcp.node_pools import GpuNodes, GpuNodesArgs, SystemNodes, SystemNodesArgs
from tidegate.gcp.project import Project
from tidegate.gcp.registry import Registry, RegistryArgs
from tidegate.gcp.state_bucket import StateBucket, StateBucketArgs
from tidegate.gcp.storage import Storage, StorageArgs, Volumes, VolumesArgs
from tidegate.spec.cluster_plan import parse_cluster
from tidegate.spec.cluster_rules import cluster_fabric
from tidegate.spec.network_plan import NetworkPlan
from tidegate.spec.node_pool import SystemPool
from tidegate.spec.state_plan import StatePlan
from tidegate.spec.storage_tiers import Filestore, ManagedLustre, ObjectBucket, StorageTiers
from tidegate.spec.workload_identity import WorkloadIdentity

REGION = "us-central1"
ZONES = ("us-central1-a", "us-central1-b")
NETWORK = "projects/acme-gpu/global/networks/prod"
KEY = "projects/acme-gpu/locations/us-central1/keyRings/prod/cryptoKeys/prod"
PROJECT_NUMBER = "987654321098"
PROJECT = Project(id="acme-gpu", number=PROJECT_NUMBER)
LABELS = {"owner": "platform", "tidegate-cluster": "prod"}
COLD = ObjectBucket(name_prefix="acme", lock_days=30)
TIERS = StorageTiers(
    hot=ManagedLustre(capacity_gib=36000, throughput=500, zone=ZONES[0]),
    warm=Filestore(tier="REGIONAL", capacity_gib=1024),
    cold=COLD,
)
RUNNER = WorkloadIdentity(namespace="inference", service_account="runner", access="append")

STATE = StatePlan.model_validate(
    {
        "name": "acme-state",
        "cloud": "gcp",
        "region": REGION,
        "project": "acme-gpu",
        "ownership": {"owner": "platform", "team": "serving", "environment": "shared"},
    }
)


def document() -> dict[str, Any]:
    fabric = pool("a3-ultragpu-8g", zones=[ZONES[0]], fabric={"kind": "gpuDirect"})
    return gcp(fabric, storage={"cold": {"kind": "bucket", "namePrefix": "acme"}})


def surroundings() -> NodeSurroundings:
    return NodeSurroundings(
        cluster="prod",
        project=PROJECT,
        region=REGION,
        account="nodes@acme-gpu.iam.gserviceaccount.com",
        disk_key=KEY,
        labels=LABELS,
    )


def cluster_arguments() -> ClusterArgs:
    return ClusterArgs(
        plan=parse_cluster(document()),
        project=PROJECT,
        network=NETWORK,
        subnetwork="projects/acme-gpu/regions/us-central1/subnetworks/prod",
        database_key=KEY,
        disk_key=KEY,
        node_account="nodes@acme-gpu.iam.gserviceaccount.com",
        labels=LABELS,
    )


def gpu_cluster_arguments() -> GpuClusterArgs:
    return GpuClusterArgs(
        plan=parse_cluster(document()),
        workloads=[RUNNER],
        project_number=PROJECT_NUMBER,
        now=NOW,
    )


def gpu_networks_arguments() -> GpuNetworksArgs:
    (fabric,) = cluster_fabric(parse_cluster(document()), NOW)
    return GpuNetworksArgs(project=PROJECT, region=REGION, plan=fabric, labels=LABELS)


def storage_arguments() -> StorageArgs:
    return StorageArgs(
        project=PROJECT,
        region=REGION,
        tiers=TIERS,
        network=NETWORK,
        labels=LABELS,
        file_key=KEY,
        bucket_key=KEY,
        protect=True,
    )


def volumes_arguments() -> VolumesArgs:
    share = MountedShare(
        driver="lustre.csi.storage.gke.io",
        handle=pulumi.Output.from_input("acme-gpu/us-central1-a/prod-hot"),
        attributes={"ip": "10.64.0.2", "filesystem": "lustre"},
        capacity_gib=36000,
    )
    return VolumesArgs(
        provider=pulumi_kubernetes.Provider("cluster", context="test"),
        shares={"tidegate-hot": share},
        bucket="acme-prod",
        bucket_locked=False,
        disk_key=KEY,
        labels=LABELS,
    )


def bucket_arguments() -> BucketArgs:
    return BucketArgs(
        project=PROJECT, region=REGION, bucket=COLD, labels=LABELS, key=KEY, protect=True
    )


def registry_arguments() -> RegistryArgs:
    return RegistryArgs(
        project=PROJECT,
        region=REGION,
        labels=LABELS,
        key=KEY,
        reader="serviceAccount:nodes@acme-gpu.iam.gserviceaccount.com",
        protect=True,
    )


GCP_EXAMPLES: dict[type[pulumi.ComponentResource], tuple[type, Callable[[], Any]]] = {
    Bucket: (BucketArgs, bucket_arguments),
    Cluster: (ClusterArgs, cluster_arguments),
    GpuCluster: (GpuClusterArgs, gpu_cluster_arguments),
    GpuNetworks: (GpuNetworksArgs, gpu_networks_arguments),
    GpuNodes: (
        GpuNodesArgs,
        lambda: GpuNodesArgs(surroundings=surroundings(), pool=resolved(document())[0]),
    ),
    Keys: (
        KeysArgs,
        lambda: KeysArgs(project=PROJECT, region=REGION, labels=LABELS, protect=True),
    ),
    Network: (
        NetworkArgs,
        lambda: NetworkArgs(project=PROJECT, region=REGION, plan=NetworkPlan(), labels=LABELS),
    ),
    NodeIdentity: (NodeIdentityArgs, lambda: NodeIdentityArgs(project=PROJECT, labels=LABELS)),
    Registry: (RegistryArgs, registry_arguments),
    ServiceConnection: (
        ServiceConnectionArgs,
        lambda: ServiceConnectionArgs(
            project=PROJECT, network=NETWORK, labels=LABELS, ports=["988"]
        ),
    ),
    StateBucket: (
        StateBucketArgs,
        lambda: StateBucketArgs(plan=STATE, project_number=PROJECT_NUMBER),
    ),
    Storage: (StorageArgs, storage_arguments),
    SystemNodes: (
        SystemNodesArgs,
        lambda: SystemNodesArgs(surroundings=surroundings(), pool=SystemPool(), zones=ZONES),
    ),
    Volumes: (VolumesArgs, volumes_arguments),
    WorkloadAccess: (
        WorkloadAccessArgs,
        lambda: WorkloadAccessArgs(project=PROJECT, workload=RUNNER, bucket="acme-prod"),
    ),
}
"""Component class → its arguments' class, and what makes such arguments."""
