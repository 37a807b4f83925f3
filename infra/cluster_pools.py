"""The pools of a cluster that the stack makes itself, as its services see them."""

from datetime import UTC, datetime

from kubernetes_settings import KubernetesSettings, PoolSettings
from tidegate.spec.accelerator_pool import AcceleratorPool
from tidegate.spec.cluster_plan import ClusterPlan
from tidegate.spec.cluster_rules import check_cluster


def with_pools_of(plan: ClusterPlan, platform: KubernetesSettings) -> KubernetesSettings:
    """The settings with the plan's pools in addition. Raises SpecError for a refused plan."""
    resolved = check_cluster(plan, datetime.now(UTC))
    pools = {each.name: _settings(each.accelerator_pool()) for each in resolved}
    return platform.model_copy(update={"pools": {**pools, **platform.pools}})


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
