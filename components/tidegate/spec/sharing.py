"""Several pods on one GPU: hardware partitions (MIG), MPS, or time-slicing."""

from typing import Literal

from pydantic import Field

from tidegate.spec.catalogue import GpuModel
from tidegate.spec.signature import SpecModel

MAX_CLIENTS = 48
"""Clients of one GPU, of MPS and of GKE's sharing.
https://docs.nvidia.com/deploy/mps/, https://cloud.google.com/kubernetes-engine/docs/concepts/timesharing-gpus"""


class Sharing(SpecModel):
    """`mig_profile` such as 1g.10gb cuts every GPU into as many such instances as it holds.

    `strategy` lets `clients` pods share a GPU, or a partition of one.
    """

    mig_profile: str | None = None
    strategy: Literal["timeSlicing", "mps"] | None = None
    clients: int | None = Field(default=None, ge=1)

    @property
    def shares(self) -> bool:
        return self.mig_profile is not None or self.strategy is not None

    def pods_per_gpu(self, gpu: GpuModel) -> int:
        """How many pods find a place on one GPU. Of a valid sharing only."""
        instances = gpu.multi_instance.get(self.mig_profile or "", 1)
        return instances * (self.clients or 1)

    @property
    def setting(self) -> str | None:
        """Name of the device plugin's settings for such nodes: `mps-2`, or `timeSlicing-4`."""
        return f"{self.strategy}-{self.clients}" if self.strategy is not None else None


def instance_memory_gib(gpu: GpuModel, mig_profile: str | None) -> float:
    """Memory of one MIG instance, as its profile's name says, or of the whole GPU."""
    if mig_profile is None:
        return gpu.memory_gib
    size = float(mig_profile.split(".")[1].split("gb")[0])
    return min(size, gpu.memory_gib)
