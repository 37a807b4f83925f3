"""How pods ask for EFA interfaces: a device plugin, or dynamic resource allocation.

Helm releases, not charts: a release is previewed without the cluster that it goes to.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pulumi
from pulumi_kubernetes.helm import v3 as helm

from tidegate.spec.resolved_pool import POOL_LABEL, ResolvedPool

CHARTS = "https://aws.github.io/eks-charts"
NAMESPACE = "kube-system"
VERSIONS = {"aws-efa-k8s-device-plugin": "0.5.30", "aws-dranet": "1.0.0"}
CHART_OF: Mapping[Literal["devicePlugin", "dra"], str] = {
    "devicePlugin": "aws-efa-k8s-device-plugin",
    "dra": "aws-dranet",
}


def fabric_charts(pools: Sequence[ResolvedPool]) -> dict[str, list[ResolvedPool]]:
    """Charts that the pools with EFA need, each with its pools."""
    charts: dict[str, list[ResolvedPool]] = {}
    for each in pools:
        if each.pool.fabric.kind == "efa":
            charts.setdefault(CHART_OF[each.pool.fabric.exposure], []).append(each)
    return dict(sorted(charts.items()))


def values(pools: Sequence[ResolvedPool]) -> dict[str, Any]:
    """On the nodes of these pools alone: two drivers on one would both give its interfaces away.

    A taint that is not tolerated means no EFA there.
    """
    taints = {(each.key, each.effect) for pool in pools for each in pool.taints}
    tolerations = [
        {"key": key, "operator": "Exists", "effect": effect} for key, effect in sorted(taints)
    ]
    return {
        "tolerations": tolerations,
        # Of the charts' required affinity, which else names every type of EC2 with EFA.
        "supportedInstanceLabels": {
            "keys": [POOL_LABEL],
            "values": sorted(each.name for each in pools),
        },
    }


def fabric_release(
    name: str, chart: str, pools: Sequence[ResolvedPool], opts: pulumi.ResourceOptions
) -> helm.Release:
    """`pools` are those of the chart."""
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
