"""What the clouds offer: machine types and their GPUs, as reviewed data with sources."""

from tidegate.spec.catalogue.loading import gpu_model, gpu_models, machine_type, machine_types
from tidegate.spec.catalogue.machine_types import (
    Architecture,
    BlockTerms,
    CapacityKind,
    Cloud,
    EfaLayout,
    Gpu,
    GpuDirect,
    GpuModel,
    MachineType,
)

__all__ = [
    "Architecture",
    "BlockTerms",
    "CapacityKind",
    "Cloud",
    "EfaLayout",
    "Gpu",
    "GpuDirect",
    "GpuModel",
    "MachineType",
    "gpu_model",
    "gpu_models",
    "machine_type",
    "machine_types",
]
