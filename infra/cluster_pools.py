"""The pools of a cluster that tidegate made, as services on it see them."""

from collections.abc import Iterable
from datetime import UTC, datetime

from kubernetes_settings import KubernetesSettings, PoolSettings
from tidegate.spec.accelerator_pool import AcceleratorPool
from tidegate.spec.cluster_plan import ClusterPlan
from tidegate.spec.cluster_rules import check_cluster


def pools_of(plan: ClusterPlan) -> list[AcceleratorPool]:
    """Raises SpecError for a refused plan."""
    return [each.accelerator_pool() for each in check_cluster(plan, datetime.now(UTC))]


def with_pools(
    platform: KubernetesSettings, pools: Iterable[AcceleratorPool]
) -> KubernetesSettings:
    """The settings with these pools in addition; one that the file names stays as it is there."""
    made = {each.name: _settings(each) for each in pools}
    return platform.model_copy(update={"pools": {**made, **platform.pools}})


def _settings(pool: AcceleratorPool) -> PoolSettings:
    return PoolSettings(
        node_labels=pool.node_labels,
        gpus_per_node=pool.gpus_per_node,
        gpu_memory_gib=pool.gpu_memory_gib,
        gpu_resource=pool.gpu_resource,
        tolerations=list(pool.tolerations),
        nodes_max=pool.nodes_max,
        max_gpus_per_pod=pool.max_gpus_per_pod,
        needs_host_ipc=pool.needs_host_ipc,
        extended_resources=pool.extended_resources,
    )
