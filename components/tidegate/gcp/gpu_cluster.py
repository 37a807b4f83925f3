"""A GKE cluster for GPUs, whole: `GpuCluster`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pulumi
import pulumi_kubernetes

from tidegate.gcp.bucket import Bucket
from tidegate.gcp.cluster import Cluster, ClusterArgs
from tidegate.gcp.cluster_nodes import ClusterNodes
from tidegate.gcp.identity import (
    NodeIdentity,
    NodeIdentityArgs,
    WorkloadAccess,
    WorkloadAccessArgs,
)
from tidegate.gcp.keys import Keys, KeysArgs
from tidegate.gcp.naming import labels_of
from tidegate.gcp.network import Network, NetworkArgs
from tidegate.gcp.node_config import NodeSurroundings
from tidegate.gcp.project import project_of
from tidegate.gcp.registry import Registry, RegistryArgs
from tidegate.gcp.storage import (
    Storage,
    StorageArgs,
    Volumes,
    VolumesArgs,
    drivers_for,
    services_for,
    storage_classes,
)
from tidegate.spec.accelerator_pool import AcceleratorPool
from tidegate.spec.cluster_plan import ClusterPlan
from tidegate.spec.cluster_rules import check_cluster
from tidegate.spec.component_arguments import check_component_arguments
from tidegate.spec.workload_identity import WorkloadIdentity

REGISTRY_SERVICE = "artifactregistry.googleapis.com"


@dataclass(frozen=True, kw_only=True)
class GpuClusterArgs:
    """Arguments of a `GpuCluster`. `workloads` may use its bucket.

    `project_number` is asked of the cloud when it is not given. `now` decides which reservations
    have ended.

    Raises SpecError for another cloud's plan, and for workloads without a bucket or named twice.
    """

    plan: ClusterPlan
    workloads: Sequence[WorkloadIdentity] = ()
    project_number: pulumi.Input[str] | None = None
    now: datetime | None = None

    def __post_init__(self) -> None:
        check_component_arguments("gcp", self.plan, self.workloads)


class GpuCluster(pulumi.ComponentResource):
    """Networks, keys, a private cluster, its nodes, storage and images.

    `pools` and `storage_classes` are known before anything is made; they and `kubeconfig` are what
    a `KubernetesPlatform` takes. Raises SpecError with every finding about the plan.
    """

    kubeconfig: pulumi.Output[str]
    cluster_name: pulumi.Output[str]
    pools: tuple[AcceleratorPool, ...]
    storage_classes: Mapping[str, str]
    release_bucket_url: pulumi.Output[str] | None
    registry_url: pulumi.Output[str]
    kubernetes_provider: pulumi_kubernetes.Provider

    def __init__(
        self, name: str, args: GpuClusterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        self._now = args.now or datetime.now(UTC)
        resolved = check_cluster(args.plan, self._now)
        super().__init__("tidegate:gcp:GpuCluster", name, None, opts)
        self._name, self._plan, self._resolved = name, args.plan, resolved
        self._own = pulumi.ResourceOptions(parent=self)
        self._labels = labels_of(args.plan.name, args.plan.ownership)
        self._project = project_of(
            args.plan.project, args.project_number, pulumi.InvokeOptions(parent=self)
        )
        self._declare(args.workloads)
        self.register_outputs(
            {
                "kubeconfig": self.kubeconfig,
                "clusterName": self.cluster_name,
                "releaseBucketUrl": self.release_bucket_url,
                "registryUrl": self.registry_url,
            }
        )

    def _declare(self, workloads: Sequence[WorkloadIdentity]) -> None:
        plan, labels, own = self._plan, self._labels, self._own
        project, region, protect = self._project, plan.region, plan.protect
        services = (REGISTRY_SERVICE, *services_for(plan.storage))
        keys = Keys(
            self._name,
            KeysArgs(
                project=project, region=region, labels=labels, protect=protect, services=services
            ),
            own,
        )
        network = Network(
            self._name,
            NetworkArgs(project=project, region=region, plan=plan.network, labels=labels),
            own,
        )
        identity = NodeIdentity(self._name, NodeIdentityArgs(project=project, labels=labels), own)
        storage = Storage(
            self._name,
            StorageArgs(
                project=project,
                region=region,
                tiers=plan.storage,
                network=network.id,
                labels=labels,
                file_key=keys.files,
                bucket_key=keys.buckets,
                protect=protect,
            ),
            own,
        )
        registry = Registry(
            self._name,
            RegistryArgs(
                project=project,
                region=region,
                labels=labels,
                key=keys.files,
                reader=identity.member,
                protect=protect,
            ),
            own,
        )
        cluster = Cluster(
            self._name,
            ClusterArgs(
                plan=plan,
                project=project,
                network=network.id,
                subnetwork=network.subnetwork,
                database_key=keys.database,
                disk_key=keys.disks,
                node_account=identity.email,
                labels=labels,
                drivers=drivers_for(plan.storage),
            ),
            own,
        )
        self.kubernetes_provider = pulumi_kubernetes.Provider(
            self._name, kubeconfig=cluster.kubeconfig, opts=own
        )
        nodes = ClusterNodes(
            name=self._name,
            parent=self,
            plan=plan,
            pools=self._resolved,
            surroundings=NodeSurroundings(
                cluster=cluster.name,
                project=project,
                region=region,
                account=identity.email,
                disk_key=keys.disks,
                labels=labels,
            ),
            kubernetes_provider=self.kubernetes_provider,
            now=self._now,
        )
        ready = nodes.declare()
        bucket = storage.bucket
        Volumes(
            self._name,
            VolumesArgs(
                provider=self.kubernetes_provider,
                shares=storage.shares,
                bucket=bucket.name if bucket is not None else None,
                bucket_locked=bucket is not None and bucket.locked,
                disk_key=keys.disks,
                labels=labels,
                hyperdisk=any(each.machine.hyperdisk_only for each in self._resolved),
                depends_on=ready,
            ),
            own,
        )
        if bucket is not None:
            self._workloads(workloads, bucket, cluster)
        self.kubeconfig = cluster.kubeconfig
        self.cluster_name = cluster.name
        self.pools = tuple(each.accelerator_pool() for each in self._resolved)
        self.storage_classes = storage_classes(plan.storage)
        self.release_bucket_url = bucket.url if bucket is not None else None
        self.registry_url = registry.url

    def _workloads(
        self, workloads: Sequence[WorkloadIdentity], bucket: Bucket, cluster: Cluster
    ) -> None:
        for workload in workloads:
            WorkloadAccess(
                f"{self._name}-{workload.name}",
                WorkloadAccessArgs(project=self._project, workload=workload, bucket=bucket.name),
                # The pool of identities comes with the cluster.
                pulumi.ResourceOptions(parent=self, depends_on=[cluster]),
            )
