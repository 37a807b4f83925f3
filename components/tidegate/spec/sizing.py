"""Whether a model fits into GPUs: what one GPU has to hold, against what it has.

Each GPU of a replica holds its part of the weights and of the key-value cache, and some working
memory of its own:

    weights = parameters x bytes of one
    cache   = 2 (keys and values) x layers x KV heads x head size x bytes of a value x tokens
    a GPU   = weights / (tensor x pipeline) + cache / (KV heads in use x pipeline) + working memory

The cache's formula is that of Kwon et al., Efficient Memory Management for Large Language Model
Serving with PagedAttention (SOSP 2023), §3. Tensor parallelism divides the cache by KV heads, so
it stops dividing it once every GPU has one (Pope et al., Efficiently Scaling Transformer
Inference, 2022, §3.3).
"""

from dataclasses import dataclass

from pydantic import Field

from tidegate.spec.catalogue import Gpu, MachineType
from tidegate.spec.errors import SpecError
from tidegate.spec.sharing import Sharing, instance_memory_gib
from tidegate.spec.signature import SpecModel

GIB = 2**30
USABLE_SHARE = 0.9
"""Of a GPU's memory; the rest is the CUDA context and what other libraries take."""


class Parallelism(SpecModel):
    """A replica has `tensor` x `pipeline` GPUs."""

    tensor: int = Field(default=1, ge=1, le=1024)
    pipeline: int = Field(default=1, ge=1, le=1024)

    @property
    def gpus(self) -> int:
        return self.tensor * self.pipeline


class ModelMemory(SpecModel):
    """What a model takes, all GPUs of a replica together, in GiB.

    `working_gib` is for activations and buffers of one GPU. `attention_heads`, `kv_heads` and
    `layers` bound how far the model can be divided; without them nothing is checked.
    """

    weights_gib: float = Field(gt=0, le=1e6)
    cache_gib: float = Field(default=0, ge=0, le=1e6)
    working_gib: float = Field(default=1, ge=0, le=1e6)
    attention_heads: int | None = Field(default=None, ge=1)
    kv_heads: int | None = Field(default=None, ge=1)
    layers: int | None = Field(default=None, ge=1)


class TransformerShape(SpecModel):
    """A decoder's sizes as its configuration names them, and the tokens kept in its cache."""

    parameters: float = Field(gt=0, le=1e15)
    bytes_per_parameter: float = Field(default=2, gt=0, le=8)
    layers: int = Field(ge=1, le=10_000)
    attention_heads: int = Field(ge=1, le=10_000)
    kv_heads: int = Field(ge=1, le=10_000)
    head_size: int = Field(ge=1, le=100_000)
    bytes_per_value: float = Field(default=2, gt=0, le=8)
    tokens: int = Field(ge=0, le=10**12, description="Of all sequences in flight together.")

    def memory(self) -> ModelMemory:
        values = 2 * self.layers * self.kv_heads * self.head_size * self.tokens
        return ModelMemory(
            weights_gib=self.parameters * self.bytes_per_parameter / GIB,
            cache_gib=values * self.bytes_per_value / GIB,
            attention_heads=self.attention_heads,
            kv_heads=self.kv_heads,
            layers=self.layers,
        )


@dataclass(frozen=True)
class Fit:
    """`needed_gib` and `usable_gib` are those of one GPU; `nodes` is how many a replica takes."""

    needed_gib: float
    usable_gib: float
    nodes: int

    @property
    def fits(self) -> bool:
        return self.needed_gib <= self.usable_gib


def gpu_memory_needed(model: ModelMemory, parallelism: Parallelism) -> float:
    """GiB of each GPU of a replica."""
    cache_parts = min(parallelism.tensor, model.kv_heads or parallelism.tensor)
    return (
        model.weights_gib / parallelism.gpus
        + model.cache_gib / (cache_parts * parallelism.pipeline)
        + model.working_gib
    )


def fits(
    model: ModelMemory,
    parallelism: Parallelism,
    machine: MachineType,
    sharing: Sharing | None = None,
) -> Fit:
    """How a replica fills the machine's GPUs. With a MIG profile its instances are the GPUs."""
    profile = sharing.mig_profile if sharing else None
    clients = (sharing.clients or 1) if sharing else 1
    gpu = machine.gpu
    memory = instance_memory_gib(gpu.of, profile) / clients
    return Fit(
        needed_gib=gpu_memory_needed(model, parallelism),
        usable_gib=memory * USABLE_SHARE,
        nodes=-(-parallelism.gpus // gpu.count),
    )


def check_fit(
    model: ModelMemory,
    parallelism: Parallelism,
    machine: MachineType,
    sharing: Sharing | None = None,
) -> Fit:
    """Raises SpecError when a replica does not fit, or the model cannot be divided that way."""
    _check_division(model, parallelism)
    sharing = sharing or Sharing()
    if sharing.shares and parallelism.gpus > 1:
        raise SpecError(
            "parallelism",
            parallelism.gpus,
            "a replica over several GPUs takes whole ones, and these are shared",
            "tensor: 1 and pipeline: 1, or a pool without sharing",
        )
    found = fits(model, parallelism, machine, sharing)
    _check_nodes(parallelism, machine.gpu, machine.name)
    if found.fits:
        return found
    raise SpecError(
        "parallelism",
        f"tensor {parallelism.tensor}, pipeline {parallelism.pipeline}",
        f"each GPU needs {found.needed_gib:.1f} GiB and a GPU of {machine.name} has "
        f"{found.usable_gib:.1f} to use",
        _mend(model, parallelism, machine, sharing),
    )


def _check_division(model: ModelMemory, parallelism: Parallelism) -> None:
    tensor, pipeline = parallelism.tensor, parallelism.pipeline
    if model.attention_heads is not None and model.attention_heads % tensor:
        raise SpecError(
            "parallelism.tensor",
            tensor,
            f"it divides the model's {model.attention_heads} attention heads unevenly",
            f"a divisor of {model.attention_heads}",
        )
    kv_heads = model.kv_heads
    if kv_heads is not None and kv_heads % tensor and tensor % kv_heads:
        raise SpecError(
            "parallelism.tensor",
            tensor,
            f"it neither divides the model's {kv_heads} KV heads nor is a multiple of them",
            f"a divisor or a multiple of {kv_heads}",
        )
    if model.layers is not None and pipeline > model.layers:
        raise SpecError(
            "parallelism.pipeline",
            pipeline,
            f"the model has {model.layers} layers, some stages would have none",
            f"at most {model.layers}",
        )


def _check_nodes(parallelism: Parallelism, gpu: Gpu, name: str) -> None:
    if parallelism.tensor > gpu.count:
        raise SpecError(
            "parallelism.tensor",
            parallelism.tensor,
            f"{name} has {gpu.count} GPUs, and tensor parallelism over nodes waits for the "
            "network at every layer",
            f"tensor: {gpu.count} with pipeline: {-(-parallelism.gpus // gpu.count)}",
        )
    if parallelism.gpus > gpu.count and gpu.count % parallelism.tensor:
        raise SpecError(
            "parallelism.tensor",
            parallelism.tensor,
            f"its groups do not fill the {gpu.count} GPUs of {name} evenly",
            f"a divisor of {gpu.count}",
        )


def _mend(
    model: ModelMemory, parallelism: Parallelism, machine: MachineType, sharing: Sharing
) -> str:
    if sharing.shares:
        return "a larger MIG profile, fewer clients, or whole GPUs"
    tensor = parallelism.tensor * 2
    while tensor <= machine.gpu.count:
        wider = Parallelism(tensor=tensor, pipeline=parallelism.pipeline)
        heads = model.attention_heads
        if (heads is None or heads % tensor == 0) and fits(model, wider, machine).fits:
            return f"tensor: {tensor}, or a machineType with larger GPUs"
        tensor *= 2
    return "a machineType with larger GPUs, a larger pipeline, or fewer tokens in the cache"
