"""What NVIDIA's GPU operator has to be told about the nodes that a cluster on AWS makes.

The operator itself is not installed here: one installation serves every team of a cluster.
"""

from collections.abc import Sequence
from typing import Any

import yaml

from tidegate.spec.resolved_pool import GPU_RESOURCE, ResolvedPool
from tidegate.spec.sharing import Sharing

CONFIG_MAP = "tidegate-gpu-sharing"
WHOLE = "whole"
"""Settings of nodes without a label: every GPU belongs to one pod."""


def gpu_operator_values(pools: Sequence[ResolvedPool]) -> dict[str, Any]:
    """Values of the chart `gpu-operator`: drivers are in the nodes' images, GPUs shared as planned.

    Its pods tolerate every taint of the pools; a missing toleration means no GPUs there.
    """
    taints = {(taint.key, taint.effect) for pool in pools for taint in pool.taints}
    tolerations = [
        {"key": key, "operator": "Exists", "effect": effect} for key, effect in sorted(taints)
    ]
    shared = {each.pool.sharing.setting: each.pool.sharing for each in pools}
    settings = {name: _shared(each) for name, each in sorted(shared.items(), key=str) if name}
    return {
        "driver": {"enabled": False},
        "toolkit": {"enabled": False},
        "daemonsets": {"tolerations": tolerations},
        "node-feature-discovery": {"worker": {"tolerations": tolerations}},
        "mig": {"strategy": "single"},
        "devicePlugin": {
            "config": {
                "create": True,
                "name": CONFIG_MAP,
                "default": WHOLE,
                "data": {WHOLE: yaml.safe_dump({"version": "v1"}), **settings},
            }
        },
    }


def _shared(sharing: Sharing) -> str:
    """Text of the ConfigMap that the chart makes, in the device plugin's own format."""
    resources = [{"name": GPU_RESOURCE, "replicas": sharing.clients}]
    way: dict[str, Any] = {"resources": resources}
    if sharing.strategy == "timeSlicing":
        # Two shares of a GPU are no more of it than one; MPS refuses them anyway.
        way["failRequestsGreaterThanOne"] = True
    return yaml.safe_dump({"version": "v1", "sharing": {sharing.strategy: way}})
