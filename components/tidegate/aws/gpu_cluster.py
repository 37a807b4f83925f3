"""An EKS cluster for GPUs, whole: `GpuCluster`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pulumi
import pulumi_kubernetes

from tidegate.aws.addon_versions import addon_versions
from tidegate.aws.bucket_identities import BucketIdentities
from tidegate.aws.cluster import Cluster, ClusterArgs
from tidegate.aws.cluster_nodes import ClusterNodes
from tidegate.aws.fabric_charts import fabric_charts, fabric_release
from tidegate.aws.fabric_security import FabricSecurity, FabricSecurityArgs
from tidegate.aws.gpu_operator import gpu_operator_values
from tidegate.aws.keys import Keys, KeysArgs
from tidegate.aws.network import Network, NetworkArgs
from tidegate.aws.registry import Registry, RegistryArgs
from tidegate.aws.storage import Storage, StorageArgs
from tidegate.aws.tags import tags_of
from tidegate.aws.volumes import Volumes, storage_classes, volumes_of
from tidegate.spec.accelerator_pool import AcceleratorPool
from tidegate.spec.cluster_plan import ClusterPlan
from tidegate.spec.cluster_rules import check_cluster
from tidegate.spec.component_arguments import check_component_arguments
from tidegate.spec.storage_tiers import FsxLustre
from tidegate.spec.workload_identity import WorkloadIdentity

IMAGES = ("runner", "tritonserver")


@dataclass(frozen=True, kw_only=True)
class GpuClusterArgs:
    """Arguments of a `GpuCluster`. `workloads` may use its bucket.

    `addon_versions` takes the place of our pins; `images` have a repository each. `now` decides
    which capacity has begun or ended.

    Raises SpecError for another cloud's plan, and for workloads without a bucket or named twice.
    """

    plan: ClusterPlan
    workloads: Sequence[WorkloadIdentity] = ()
    addon_versions: Mapping[str, str] = field(default_factory=dict)
    images: Sequence[str] = IMAGES
    now: datetime | None = None

    def __post_init__(self) -> None:
        check_component_arguments("aws", self.plan, self.workloads)


class GpuCluster(pulumi.ComponentResource):
    """Network, keys, a private cluster, its nodes, storage and images.

    `pools` and `storage_classes` are known before anything is made; they and `kubeconfig` are what
    a `KubernetesPlatform` takes. `gpu_operator_values` is for whoever installs the GPU operator.
    Raises SpecError with every finding about the plan.
    """

    kubeconfig: pulumi.Output[str]
    cluster_name: pulumi.Output[str]
    pools: tuple[AcceleratorPool, ...]
    storage_classes: Mapping[str, str]
    gpu_operator_values: Mapping[str, Any]
    release_bucket_url: pulumi.Output[str] | None
    registry_url: pulumi.Output[str]
    kubernetes_provider: pulumi_kubernetes.Provider

    def __init__(
        self, name: str, args: GpuClusterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        self._now = args.now or datetime.now(UTC)
        self._resolved = check_cluster(args.plan, self._now)
        self._versions = addon_versions(args.plan.kubernetes_version, args.addon_versions)
        super().__init__("tidegate:aws:GpuCluster", name, None, opts)
        self._name, self._plan = name, args.plan
        self._own = pulumi.ResourceOptions(parent=self)
        self._tags = tags_of(args.plan)
        self._declare(args)
        self.register_outputs(
            {
                "kubeconfig": self.kubeconfig,
                "clusterName": self.cluster_name,
                "releaseBucketUrl": self.release_bucket_url,
                "registryUrl": self.registry_url,
            }
        )

    def _declare(self, args: GpuClusterArgs) -> None:
        name, plan, tags, own = self._name, self._plan, self._tags, self._own
        hot = plan.storage.hot
        keys = Keys(
            name,
            KeysArgs(
                cluster=plan.name,
                region=plan.region,
                linked=isinstance(hot, FsxLustre) and hot.repository_prefix is not None,
                tags=tags,
                protect=plan.protect,
            ),
            own,
        )
        network = Network(
            name,
            NetworkArgs(
                cluster=plan.name,
                region=plan.region,
                zones=plan.zones,
                plan=plan.network,
                tags=tags,
            ),
            own,
        )
        cluster = Cluster(
            name,
            ClusterArgs(
                region=plan.region,
                kubernetes_version=plan.kubernetes_version,
                services_cidr=plan.network.services_cidr,
                subnets=list(network.regional_subnets.values()),
                key=keys.control_plane,
                admin_cidrs=plan.admin_cidrs,
                private_admin_cidrs=plan.private_admin_cidrs,
                admins=plan.admins,
                tags=tags,
                protect=plan.protect,
            ),
            own,
        )
        registry = Registry(
            name,
            RegistryArgs(
                cluster=plan.name,
                images=args.images,
                tags=tags,
                key=keys.storage,
                protect=plan.protect,
            ),
            own,
        )
        self.kubernetes_provider = pulumi_kubernetes.Provider(
            name, kubeconfig=cluster.kubeconfig, opts=own
        )
        fabric = self._fabric(network)
        storage = self._storage(network, cluster, fabric, keys)
        identities = self._identities(cluster, storage, keys)
        nodes = ClusterNodes(
            name=name,
            parent=self,
            plan=plan,
            pools=self._resolved,
            cluster=cluster,
            network=network,
            fabric=fabric,
            versions=self._versions,
            # Pods that start before their identity is there never get it.
            addon_needs=[identities.driver().association] if identities else [],
            kubernetes_provider=self.kubernetes_provider,
            tags=tags,
            now=self._now,
        )
        self._inside(storage, nodes.declare())
        if identities is not None:
            for workload in args.workloads:
                identities.workload(workload)
        self.kubeconfig = cluster.kubeconfig
        self.cluster_name = cluster.name
        self.pools = tuple(each.accelerator_pool() for each in self._resolved)
        self.storage_classes = storage_classes(plan.storage)
        self.gpu_operator_values = gpu_operator_values(self._resolved)
        self.release_bucket_url = storage.bucket.url if storage.bucket else None
        self.registry_url = registry.url

    def _fabric(self, network: Network) -> FabricSecurity | None:
        """One network between GPUs for all pools: a pool's nodes are told by their placement."""
        if all(each.pool.fabric.kind != "efa" for each in self._resolved):
            return None
        return FabricSecurity(
            f"{self._name}-fabric",
            FabricSecurityArgs(vpc_id=network.vpc_id, tags=self._tags),
            self._own,
        )

    def _storage(
        self, network: Network, cluster: Cluster, fabric: FabricSecurity | None, keys: Keys
    ) -> Storage:
        clients = {"nodes": cluster.security_group}
        if fabric is not None:
            clients["fabric"] = fabric.group_id
        return Storage(
            self._name,
            StorageArgs(
                plan=self._plan.storage,
                vpc_id=network.vpc_id,
                subnets=network.private_subnets,
                regional_subnets=network.regional_subnets,
                client_groups=clients,
                key=keys.storage,
                tags=self._tags,
                protect=self._plan.protect,
            ),
            self._own,
        )

    def _inside(self, storage: Storage, needs: Sequence[pulumi.Resource]) -> None:
        """What GPUs and pods need inside the cluster."""
        opts = pulumi.ResourceOptions(
            parent=self, provider=self.kubernetes_provider, depends_on=list(needs)
        )
        for chart, pools in fabric_charts(self._resolved).items():
            fabric_release(self._name, chart, pools, opts)
        Volumes(
            f"{self._name}-volumes",
            volumes_of(storage, self._plan, self._tags),
            pulumi.ResourceOptions(
                parent=self, providers=[self.kubernetes_provider], depends_on=list(needs)
            ),
        )

    def _identities(
        self, cluster: Cluster, storage: Storage, keys: Keys
    ) -> BucketIdentities | None:
        if storage.bucket is None:
            return None
        return BucketIdentities(
            name=self._name,
            parent=self,
            cluster=cluster.name,
            bucket=storage.bucket,
            key=keys.storage,
            tags=self._tags,
        )
