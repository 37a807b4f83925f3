"""A group of alike nodes of an existing cluster, and whether a revision fits on it."""

import difflib
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from tidegate.spec.errors import SpecError
from tidegate.spec.extended_resources import check_extended_resources, check_offered
from tidegate.spec.release import Name
from tidegate.spec.serving_on_kubernetes import KubernetesServing
from tidegate.spec.signature import SpecModel


class Toleration(SpecModel):
    """As in a pod; without `value` any value of the taint is tolerated."""

    key: str = Field(min_length=1)
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None

    @property
    def in_pod(self) -> dict[str, str]:
        """As the API server takes it."""
        operator = "Exists" if self.value is None else "Equal"
        return {"operator": operator, **self.model_dump(exclude_none=True)}


class AcceleratorPool(SpecModel):
    """`gpu_memory_gib` is that of one GPU; `nodes_max` counts nodes at the pool's largest.

    `max_gpus_per_pod`: what the nodes admit where pods share GPUs. `needs_host_ipc`: pods get a GPU
    in the node's IPC namespace only. `extended_resources`: what one node offers beside GPUs; one
    that is not named is not checked.
    """

    name: Name
    node_labels: dict[str, str] = Field(min_length=1)
    tolerations: tuple[Toleration, ...] = (Toleration(key="nvidia.com/gpu", effect="NoSchedule"),)
    gpus_per_node: int = Field(ge=0)
    gpu_memory_gib: float = Field(default=0, ge=0)
    gpu_resource: str = "nvidia.com/gpu"
    nodes_max: int | None = Field(default=None, ge=1)
    max_gpus_per_pod: int | None = Field(default=None, ge=1)
    needs_host_ipc: bool = False
    extended_resources: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)


def find_pool(pools: Sequence[AcceleratorPool], name: str) -> AcceleratorPool:
    """Raises SpecError when no pool has the name."""
    known = {each.name: each for each in pools}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"'{near[0]}'; " if near else ""
    there = ", ".join(sorted(known)) or "none"
    raise SpecError("pool", name, "no such pool is declared", f"{hint}there are: {there}")


def check_fits(serving: KubernetesServing, pool: AcceleratorPool, replicas: int = 1) -> None:
    """Raise SpecError when a revision cannot be scheduled on the pool, or not be loaded there."""
    _check_resource(serving, pool)
    _check_isolation(serving, pool)
    _check_count(serving, pool)
    _check_memory(serving, pool)
    check_extended_resources(serving.extended_resources or {}, pool.gpu_resource)
    check_offered(serving.extended_resources or {}, pool.name, pool.extended_resources)
    _check_nodes(serving, pool, replicas)


def _check_resource(serving: KubernetesServing, pool: AcceleratorPool) -> None:
    if serving.gpus and serving.gpu_resource != pool.gpu_resource:
        raise SpecError(
            "gpuResource",
            serving.gpu_resource,
            f"nodes of the pool {pool.name} offer {pool.gpu_resource}",
            f"gpuResource: {pool.gpu_resource}, or another pool",
        )


def _check_isolation(serving: KubernetesServing, pool: AcceleratorPool) -> None:
    if serving.gpus and pool.needs_host_ipc:
        raise SpecError(
            "pool",
            pool.name,
            "its GPUs are shared by MPS, whose daemon there reaches only pods with hostIPC and the "
            "node's /dev/shm; a slot has neither, as Pod Security's `baseline` wants it",
            "a pool with sharing.strategy: timeSlicing or with migProfile, or `existing` with a "
            "Deployment of your own",
        )


def _check_count(serving: KubernetesServing, pool: AcceleratorPool) -> None:
    limit = pool.max_gpus_per_pod
    if limit is not None and serving.gpus > limit:
        raise SpecError(
            "gpus",
            serving.gpus,
            f"pods share the GPUs of the pool {pool.name}, and its nodes admit no pod with more "
            f"than {limit}",
            f"gpus: {limit}, or a pool whose GPUs are not shared",
        )
    if serving.gpus <= pool.gpus_per_node:
        return
    if pool.gpus_per_node == 0:
        mend = "gpus: 0, or a pool whose nodes have GPUs"
    else:
        nodes = -(-serving.gpus // pool.gpus_per_node)
        mend = f"gpus: {pool.gpus_per_node} or fewer, or nodes: {nodes} for one replica"
    raise SpecError(
        "gpus",
        serving.gpus,
        f"a node of the pool {pool.name} has {pool.gpus_per_node} GPUs, so no pod would ever be "
        "scheduled",
        mend,
    )


def _check_memory(serving: KubernetesServing, pool: AcceleratorPool) -> None:
    needed = serving.model_memory_gib
    if needed is None or not pool.gpu_memory_gib:
        return
    offered = serving.gpus * serving.nodes * pool.gpu_memory_gib
    if needed <= offered:
        return
    gpus = -(-needed // pool.gpu_memory_gib)
    if pool.max_gpus_per_pod is None:
        mend = f"{gpus:g} GPUs for a replica, or a pool with larger ones"
    else:
        mend = "a pool with larger GPUs, with fewer pods on each, or whose GPUs are not shared"
    raise SpecError(
        "modelMemoryGib",
        needed,
        f"a replica has {serving.gpus * serving.nodes} GPUs of {pool.gpu_memory_gib:g} GiB in the "
        f"pool {pool.name}, {offered:g} GiB together, and the model would not load",
        mend,
    )


def _check_nodes(serving: KubernetesServing, pool: AcceleratorPool, replicas: int) -> None:
    if pool.nodes_max is None:
        return
    if serving.nodes > 1:
        needed = serving.nodes * replicas
    elif serving.gpus:
        needed = -(-replicas // (pool.gpus_per_node // serving.gpus))
    else:
        return
    if needed > pool.nodes_max:
        raise SpecError(
            "replicas",
            replicas,
            f"they need {needed} nodes of the pool {pool.name}, which has at most {pool.nodes_max}",
            "fewer replicas, or a larger nodesMax of the pool",
        )
