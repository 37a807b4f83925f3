"""The shape of the catalogue: a GPU model, and a machine type of one cloud."""

from datetime import timedelta
from typing import Literal

from pydantic import Field

from tidegate.spec.signature import SpecModel

Cloud = Literal["aws", "gcp"]
Architecture = Literal["x86_64", "arm64"]
CapacityKind = Literal["onDemand", "spot", "reservation", "capacityBlock", "flexStart", "queued"]

MIB_PER_GIB = 1024


class GpuModel(SpecModel):
    """`multi_instance` maps MIG profiles to how many instances one GPU holds when cut into them."""

    model: str
    product: str
    memory_mib: int = Field(gt=0)
    nvlink: bool
    multi_instance: dict[str, int] = Field(default_factory=dict)

    @property
    def memory_gib(self) -> float:
        return self.memory_mib / MIB_PER_GIB


class Gpu(SpecModel):
    """The GPUs of one machine."""

    of: GpuModel
    count: int = Field(ge=1)

    @property
    def model(self) -> str:
        return self.of.model

    @property
    def memory_gib(self) -> float:
        """Of one GPU."""
        return self.of.memory_gib


class EfaLayout(SpecModel):
    """`count` network cards from the card `first` on, every `step`-th, each with one EFA."""

    first: int = Field(ge=0)
    count: int = Field(ge=1)
    step: int = Field(default=1, ge=1)

    @property
    def cards(self) -> tuple[int, ...]:
        return tuple(range(self.first, self.first + self.count * self.step, self.step))


class BlockTerms(SpecModel):
    """Of a Capacity Block: the most instances in one, and how long before its end AWS ends them."""

    max_instances: int = Field(default=64, ge=1)
    end_reserve_minutes: int = Field(default=30, ge=0)

    @property
    def end_reserve(self) -> timedelta:
        return timedelta(minutes=self.end_reserve_minutes)


class GpuDirect(SpecModel):
    """How GPUs of several nodes talk on Google Cloud.

    `gvnic_networks` is the number of VPCs beside the node's own, `rdma_subnetworks` that of
    subnetworks in one VPC with an RDMA profile. `managed_only`: GKE attaches the networks.
    """

    technology: Literal["TCPX", "TCPXO", "RDMA"]
    plugin: Literal["tcpx", "tcpxo", "gib", "gib-arm64"]
    gvnic_networks: int = 0
    rdma_subnetworks: int = 0
    mtu: int = Field(gt=0)
    managed_only: bool = False

    @property
    def manageable(self) -> bool:
        """GKE can attach the networks itself (managed DRANET)."""
        return self.technology == "RDMA"


class MachineType(SpecModel):
    """A machine type. None and empty stand for what no source shows, not for a zero.

    AWS alone: the network cards, `efa` (layouts, the default first), `local_disk_gb` (all disks
    together) and `block_terms` of its Capacity Blocks. Google alone: the accelerator type,
    `gpu_direct`, `local_ssds` of `local_ssd_gib`, the boot disks (the default first),
    `flex_start_compact` (it can have both) and the accelerator topologies. `kubernetes_from` is
    the first version that runs on the type.
    """

    name: str
    cloud: Cloud
    family: str
    gpu: Gpu
    vcpus: int = Field(ge=1)
    memory_gib: float | None = Field(default=None, gt=0)
    architecture: Architecture
    capacity: tuple[CapacityKind, ...]
    network_cards: int | None = None
    efa: tuple[EfaLayout, ...] = ()
    local_disk_gb: int | None = None
    block_terms: BlockTerms = BlockTerms()
    accelerator_type: str | None = None
    gpu_direct: GpuDirect | None = None
    local_ssds: int | None = None
    local_ssd_gib: int | None = None
    boot_disks: tuple[str, ...] = ()
    flex_start_compact: bool = False
    topologies: tuple[str, ...] = ()
    kubernetes_from: str | None = None
    sources: tuple[str, ...] = ()

    @property
    def has_local_disks(self) -> bool:
        return bool(self.local_disk_gb or self.local_ssds)

    @property
    def hyperdisk_only(self) -> bool:
        """It attaches no Persistent Disk, as its boot disks say."""
        return bool(self.boot_disks) and all(
            each.startswith("hyperdisk-") for each in self.boot_disks
        )

    @property
    def one_zone_fabric(self) -> bool:
        """Its fabric lives in one zone: EFA traffic, or a VPC with a zone's RDMA profile."""
        if self.cloud == "aws":
            return bool(self.efa)
        return self.gpu_direct is not None and self.gpu_direct.technology == "RDMA"
