"""A pool with everything decided: what the clouds' components declare, name by name."""

from dataclasses import dataclass

from tidegate.spec.accelerator_pool import AcceleratorPool, Toleration
from tidegate.spec.catalogue import Architecture, Cloud, MachineType
from tidegate.spec.extended_resources import EFA
from tidegate.spec.fabric import (
    GkeNetworks,
    NetworkInterface,
    efa_interfaces,
    gke_networks,
    plain_interface,
)
from tidegate.spec.node_pool import NodePool
from tidegate.spec.node_settings import (
    AWS_BOOT_DISKS,
    AWS_IMAGES,
    GKE_IMAGES,
    LocalDiskUse,
    Taint,
)
from tidegate.spec.pool_facts import PoolFacts
from tidegate.spec.sharing import instance_memory_gib

POOL_LABEL = "tidegate.dev/pool"
PURPOSE_LABEL = "tidegate.dev/purpose"
ACCELERATOR_LABEL = "tidegate.dev/accelerator"
GPU_TAINT = Taint(key="nvidia.com/gpu", value="present", effect="NoSchedule")
GPU_RESOURCE = "nvidia.com/gpu"
MIG_LABEL, SHARING_LABEL = "nvidia.com/mig.config", "nvidia.com/device-plugin.config"
"""By them the GPU operator knows how a node's GPUs are divided and shared."""

GKE_SHARES_PER_POD = 1
"""Of shared GPUs: GKE's device plugin refuses a container with more
(GoogleCloudPlatform/container-engine-accelerators at 992db81, pkg/gpu/nvidia/gpusharing). Those of
MPS need hostIPC: https://cloud.google.com/kubernetes-engine/docs/how-to/nvidia-mps-gpus"""


@dataclass(frozen=True)
class EksPlan:
    """Values of EKS and EC2. `capacity_type` is the node group's.

    `capacity_reservation` is the id of one, or the ARN of a resource group of several.
    """

    ami_type: str
    capacity_type: str
    market_type: str | None
    capacity_reservation: str | None
    placement_group: bool
    boot_disk: str
    raid0: bool


@dataclass(frozen=True)
class GkePlan:
    """Values of a GKE node pool. Nodes by zone: always as many of a fixed count, else at first."""

    image_type: str
    boot_disk: str
    auto_repair: bool
    spot: bool
    flex_start: bool
    queued: bool
    max_run_seconds: int | None
    reservation_affinity: str
    reservation_values: tuple[str, ...]
    sharing_strategy: str | None
    max_shared_clients: int | None
    gpu_partition_size: str | None
    driver_version: str
    placement_type: str | None
    upgrade_strategy: str
    local_ssds: int
    nodes_by_zone: int | None
    first_by_zone: int | None


@dataclass(frozen=True)
class ResolvedPool:
    """`interfaces` of each node (AWS), `networks` beside the node's own (Google Cloud).

    Exactly one of `eks` and `gke` is there.
    """

    pool: NodePool
    machine: MachineType
    cloud: Cloud
    zones: tuple[str, ...]
    architecture: Architecture
    local_disks: LocalDiskUse
    taints: tuple[Taint, ...]
    labels: dict[str, str]
    auto_repair: bool
    interfaces: tuple[NetworkInterface, ...]
    networks: GkeNetworks | None
    eks: EksPlan | None
    gke: GkePlan | None

    @property
    def name(self) -> str:
        return self.pool.name

    @property
    def gpu_resource(self) -> str:
        """What pods ask for. One profile on every GPU of a pool, so MIG's `single` strategy."""
        return GPU_RESOURCE

    @property
    def pods_per_node(self) -> int:
        """How many pods with one GPU, one instance or one share find a place on a node."""
        return self.machine.gpu.count * self.pool.sharing.pods_per_gpu(self.machine.gpu.of)

    def accelerator_pool(self) -> AcceleratorPool:
        """The pool as a cluster's user sees it: KubernetesPlatform takes it."""
        memory = instance_memory_gib(self.machine.gpu.of, self.pool.sharing.mig_profile)
        shared_by_gke = self.pool.sharing.strategy if self.gke is not None else None
        return AcceleratorPool(
            name=self.name,
            node_labels={POOL_LABEL: self.name},
            tolerations=tuple(
                Toleration(key=taint.key, value=taint.value or None, effect=taint.effect)
                for taint in self.taints
            ),
            gpus_per_node=self.pods_per_node,
            gpu_memory_gib=memory / (self.pool.sharing.clients or 1),
            gpu_resource=self.gpu_resource,
            nodes_max=self.pool.nodes_max,
            max_gpus_per_pod=GKE_SHARES_PER_POD if shared_by_gke else None,
            needs_host_ipc=shared_by_gke == "mps",
            extended_resources=self._extended_resources(),
        )

    def _extended_resources(self) -> dict[str, int]:
        """Interfaces with EFA, where pods ask the device plugin for them."""
        if self.eks is None or self.pool.fabric.exposure != "devicePlugin":
            return {}
        return {EFA: sum(each.type == "efa-only" for each in self.interfaces)}


def resolve_pool(facts: PoolFacts, project: str | None = None) -> ResolvedPool:
    """Of a pool without findings. `project` owns the reservations that name no other project."""
    pool, machine = facts.pool, facts.machine
    flex = _is_flex(pool)
    repair = (not flex) if pool.repair is None else pool.repair
    with_efa = facts.cloud == "aws" and pool.fabric.kind == "efa"
    local = _local_disks(facts)
    return ResolvedPool(
        pool=pool,
        machine=machine,
        cloud=facts.cloud,
        zones=facts.zones,
        architecture=machine.architecture,
        local_disks=local,
        taints=_taints(pool),
        labels={
            **pool.labels,
            POOL_LABEL: pool.name,
            PURPOSE_LABEL: pool.purpose,
            ACCELERATOR_LABEL: machine.gpu.model,
            **(_operator_labels(pool) if facts.cloud == "aws" else {}),
        },
        auto_repair=repair,
        interfaces=(
            efa_interfaces(machine, pool.fabric.interfaces) if with_efa else plain_interface()
        ),
        networks=_networks(facts),
        eks=_eks_plan(facts, local) if facts.cloud == "aws" else None,
        gke=_gke_plan(facts, local, repair, project) if facts.cloud == "gcp" else None,
    )


def _networks(facts: PoolFacts) -> GkeNetworks | None:
    fabric, direct = facts.pool.fabric, facts.machine.gpu_direct
    if fabric.kind != "gpuDirect" or direct is None:
        return None
    return gke_networks(direct, fabric.mode)


def _is_flex(pool: NodePool) -> bool:
    capacity = pool.capacity
    return capacity.kind == "flexStart" or (capacity.kind == "queued" and capacity.flex_start)


def _taints(pool: NodePool) -> tuple[Taint, ...]:
    """Of every pool with GPUs; the purpose keeps training off the nodes of inference and back."""
    purpose = Taint(key=PURPOSE_LABEL, value=pool.purpose, effect="NoSchedule")
    return (GPU_TAINT, purpose, *pool.taints)


def _operator_labels(pool: NodePool) -> dict[str, str]:
    """GKE divides and shares GPUs itself; on EKS the GPU operator does, as these labels say."""
    labels = {}
    if pool.sharing.mig_profile is not None:
        labels[MIG_LABEL] = f"all-{pool.sharing.mig_profile}"
    if pool.sharing.setting is not None:
        labels[SHARING_LABEL] = pool.sharing.setting
    return labels


def _local_disks(facts: PoolFacts) -> LocalDiskUse:
    wanted = facts.pool.disks.local
    if wanted is not None:
        return wanted
    if not facts.machine.has_local_disks:
        return "none"
    return "raid0" if facts.cloud == "aws" else "ephemeral"


def _eks_plan(facts: PoolFacts, local: LocalDiskUse) -> EksPlan:
    pool, capacity = facts.pool, facts.pool.capacity
    types = {"spot": "SPOT", "capacityBlock": "CAPACITY_BLOCK"}
    reserved = capacity.kind in ("reservation", "capacityBlock")
    return EksPlan(
        ami_type=AWS_IMAGES[pool.image.family or "al2023", facts.machine.architecture],
        capacity_type=types.get(capacity.kind, "ON_DEMAND"),
        market_type="capacity-block" if capacity.kind == "capacityBlock" else None,
        capacity_reservation=getattr(capacity, "reservation") if reserved else None,  # noqa: B009
        placement_group=pool.placement.compact,
        boot_disk=pool.disks.boot_type or AWS_BOOT_DISKS[0],
        raid0=local == "raid0",
    )


def _gke_plan(facts: PoolFacts, local: LocalDiskUse, repair: bool, project: str | None) -> GkePlan:
    pool, machine, capacity = facts.pool, facts.machine, facts.pool.capacity
    nodes, zones = pool.nodes, len(facts.zones)
    reserved = capacity.kind == "reservation"
    sharing = {"timeSlicing": "TIME_SHARING", "mps": "MPS"}
    limited = capacity.kind in ("flexStart", "queued")
    versions = {"default": "DEFAULT", "latest": "LATEST", "disabled": "INSTALLATION_DISABLED"}
    return GkePlan(
        image_type=GKE_IMAGES[pool.image.family or "cos"],
        boot_disk=pool.disks.boot_type or machine.boot_disks[0],
        auto_repair=repair,
        spot=capacity.kind == "spot",
        flex_start=_is_flex(pool),
        queued=capacity.kind == "queued",
        max_run_seconds=getattr(capacity, "max_run_seconds") if limited else None,  # noqa: B009
        reservation_affinity="SPECIFIC_RESERVATION" if reserved else "NO_RESERVATION",
        reservation_values=_reservation_values(pool, project),
        sharing_strategy=sharing.get(pool.sharing.strategy or ""),
        max_shared_clients=pool.sharing.clients if pool.sharing.strategy else None,
        gpu_partition_size=pool.sharing.mig_profile,
        driver_version=versions[pool.image.driver],
        placement_type="COMPACT" if facts.compact_by is not None else None,
        upgrade_strategy="BLUE_GREEN" if pool.upgrade.strategy == "blueGreen" else "SURGE",
        local_ssds=(machine.local_ssds or 0) if local in ("ephemeral", "block") else 0,
        nodes_by_zone=nodes // zones if isinstance(nodes, int) else None,
        first_by_zone=None if isinstance(nodes, int) else nodes.first_by_zone(zones),
    )


def _reservation_values(pool: NodePool, project: str | None) -> tuple[str, ...]:
    """As GKE wants them; a name alone is of the cluster's own project."""
    capacity = pool.capacity
    if capacity.kind != "reservation":
        return ()
    name = capacity.reservation
    if capacity.block is not None:
        name = f"{name}/reservationBlocks/{capacity.block}"
    owner = capacity.project or project
    return (f"projects/{owner}/reservations/{name}" if owner else name,)
