"""How pods ask for EFA interfaces: a device plugin, or dynamic resource allocation.

Helm releases, not charts: a release is previewed without the cluster that it goes to.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pulumi
from pulumi_kubernetes.helm import v3 as helm

from tidegate.spec.resolved_pool import ResolvedPool

CHARTS = "https://aws.github.io/eks-charts"
NAMESPACE = "kube-system"
VERSIONS = {"aws-efa-k8s-device-plugin": "0.5.30", "aws-dranet": "1.0.0"}
CHART_OF: Mapping[Literal["devicePlugin", "dra"], str] = {
    "devicePlugin": "aws-efa-k8s-device-plugin",
    "dra": "aws-dranet",
}


def fabric_charts(pools: Sequence[ResolvedPool]) -> list[str]:
    """Charts that the pools with EFA need."""
    exposures = {each.pool.fabric.exposure for each in pools if each.pool.fabric.kind == "efa"}
    return sorted(CHART_OF[each] for each in exposures)


def values(pools: Sequence[ResolvedPool]) -> dict[str, Any]:
    """Tolerations of every taint that a pool with EFA has; a missing one means no EFA there."""
    taints = {
        (each.key, each.effect)
        for pool in pools
        if pool.pool.fabric.kind == "efa"
        for each in pool.taints
    }
    tolerations = [
        {"key": key, "operator": "Exists", "effect": effect} for key, effect in sorted(taints)
    ]
    return {"tolerations": tolerations}


def fabric_release(
    name: str, chart: str, pools: Sequence[ResolvedPool], opts: pulumi.ResourceOptions
) -> helm.Release:
    return helm.Release(
        f"{name}-{chart}",
        chart=chart,
        version=VERSIONS[chart],
        namespace=NAMESPACE,
        repository_opts=helm.RepositoryOptsArgs(repo=CHARTS),
        values=values(pools),
        # Nodes with GPUs may be absent when it is installed: nothing would become ready.
        skip_await=True,
        opts=opts,
    )
