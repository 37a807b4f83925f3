"""An EKS cluster for GPUs, whole: `GpuCluster`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pulumi
import pulumi_kubernetes

from tidegate.aws.addon_versions import addon_versions
from tidegate.aws.cluster import Cluster, ClusterArgs
from tidegate.aws.cluster_nodes import ClusterNodes
from tidegate.aws.fabric_charts import fabric_charts, fabric_release
from tidegate.aws.identity import PodIdentity, PodIdentityArgs, bucket_statements
from tidegate.aws.keys import Keys, KeysArgs
from tidegate.aws.network import Network, NetworkArgs
from tidegate.aws.node_pools import FabricSecurity, FabricSecurityArgs
from tidegate.aws.registry import Registry, RegistryArgs
from tidegate.aws.storage import Storage, StorageArgs
from tidegate.aws.tags import tags_of
from tidegate.aws.volumes import LustreVolume, Volumes, VolumesArgs, storage_classes
from tidegate.spec.accelerator_pool import AcceleratorPool
from tidegate.spec.cluster_plan import ClusterPlan
from tidegate.spec.cluster_rules import check_cluster
from tidegate.spec.errors import SpecError
from tidegate.spec.storage_tiers import FsxLustre
from tidegate.spec.workload_identity import WorkloadIdentity

IMAGES = ("runner", "tritonserver")
BUCKET_DRIVER = WorkloadIdentity(
    namespace="kube-system", service_account="s3-csi-driver-sa", access="read"
)
"""The add-on that mounts the bucket as a volume."""


@dataclass(frozen=True, kw_only=True)
class GpuClusterArgs:
    """Arguments of a `GpuCluster`. `workloads` may use its bucket.

    `addon_versions` takes the place of our pins; `images` have a repository each. `now` decides
    which capacity has begun or ended.

    Raises SpecError for workloads without a bucket.
    """

    plan: ClusterPlan
    workloads: Sequence[WorkloadIdentity] = ()
    addon_versions: Mapping[str, str] = field(default_factory=dict)
    images: Sequence[str] = IMAGES
    now: datetime | None = None

    def __post_init__(self) -> None:
        if self.workloads and self.plan.storage.cold is None:
            raise SpecError(
                "workloads",
                self.workloads[0].name,
                "the cluster has no bucket that they could use",
                "storage.cold, or no workloads",
            )


class GpuCluster(pulumi.ComponentResource):
    """Network, keys, a private cluster, its nodes, storage and images.

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
        keys = Keys(name, KeysArgs(cluster=plan.name, tags=tags, protect=plan.protect), own)
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
                subnets=list(network.private_subnets.values()),
                key=keys.control_plane,
                admin_cidrs=plan.admin_cidrs,
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
        nodes = ClusterNodes(
            name=name,
            parent=self,
            plan=plan,
            pools=self._resolved,
            cluster=cluster,
            network=network,
            fabric=fabric,
            versions=self._versions,
            kubernetes_provider=self.kubernetes_provider,
            tags=tags,
            now=self._now,
        )
        self._inside(storage, nodes.declare())
        self._workloads(args.workloads, cluster, storage, keys)
        self.kubeconfig = cluster.kubeconfig
        self.cluster_name = cluster.name
        self.pools = tuple(each.accelerator_pool() for each in self._resolved)
        self.storage_classes = storage_classes(plan.storage)
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
        for chart in fabric_charts(self._resolved):
            fabric_release(self._name, chart, self._resolved, opts)
        shared, bucket = storage.shared, storage.bucket
        Volumes(
            f"{self._name}-volumes",
            VolumesArgs(
                lustre=self._lustre_volume(storage),
                shared=shared.id if shared is not None else None,
                bucket=bucket.id if bucket is not None else None,
                region=self._plan.region,
                labels=self._tags,
            ),
            pulumi.ResourceOptions(
                parent=self, providers=[self.kubernetes_provider], depends_on=list(needs)
            ),
        )

    def _lustre_volume(self, storage: Storage) -> LustreVolume | None:
        hot, made = self._plan.storage.hot, storage.lustre
        if made is None or not isinstance(hot, FsxLustre):
            return None
        return LustreVolume(
            id=made.id,
            dns_name=made.dns_name,
            mount_name=made.mount_name,
            capacity_gib=hot.capacity_gib,
        )

    def _workloads(
        self,
        workloads: Sequence[WorkloadIdentity],
        cluster: Cluster,
        storage: Storage,
        keys: Keys,
    ) -> None:
        if storage.bucket is None:
            return
        for workload in (BUCKET_DRIVER, *workloads):
            PodIdentity(
                f"{self._name}-{workload.name}",
                PodIdentityArgs(
                    cluster=cluster.name,
                    namespace=workload.namespace,
                    service_account=workload.service_account,
                    statements=bucket_statements(storage.bucket.arn, keys.storage, workload.access),
                    tags=self._tags,
                ),
                self._own,
            )
