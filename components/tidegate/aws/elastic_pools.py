"""Karpenter's objects for pools whose nodes come and go with the pods."""

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi_kubernetes import apiextensions, meta

from tidegate.aws.launch_templates import BOOT_DEVICE, SYSTEM_DEVICE, SYSTEM_DISK
from tidegate.aws.network import DISCOVERY_TAG
from tidegate.spec.capacity import Reservation
from tidegate.spec.resolved_pool import GPU_RESOURCE, EksPlan, ResolvedPool

CAPACITY_TYPES = {"onDemand": "on-demand", "spot": "spot", "reservation": "reserved"}
SYSTEM_DISK_GIB = 4
"""Karpenter wants a size; this is its own for Bottlerocket (1.14, pkg/providers/amifamily)."""
IDLE_TIME = "5m"
NODE_LIFE = "336h"
"""Nodes are replaced every two weeks, so that images do not grow old."""


def elastic_pool(
    name: str,
    pool: ResolvedPool,
    plan: EksPlan,
    *,
    discovery: str,
    role: pulumi.Input[str],
    security_group: pulumi.Input[str],
    tags: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """`discovery` is the value of the subnets' tag."""
    spec = {"role": role, "securityGroupSelectorTerms": [{"id": security_group}]}
    return [
        _object(
            name,
            "karpenter.k8s.aws/v1",
            "EC2NodeClass",
            pool.name,
            {**node_class(pool, plan, discovery, tags), **spec},
            opts,
        ),
        _object(name, "karpenter.sh/v1", "NodePool", pool.name, node_pool(pool), opts),
    ]


def node_class(
    pool: ResolvedPool, plan: EksPlan, discovery: str, tags: Mapping[str, str]
) -> dict[str, Any]:
    family = pool.pool.image.family or "al2023"
    disks = [_disk(BOOT_DEVICE[family], plan.boot_disk, pool.pool.disks.boot_gib)]
    if family in SYSTEM_DEVICE:
        disks.append(_disk(SYSTEM_DEVICE[family], SYSTEM_DISK, SYSTEM_DISK_GIB))
    content: dict[str, Any] = {
        "amiSelectorTerms": [{"alias": f"{family}@latest"}],
        "subnetSelectorTerms": [{"tags": {DISCOVERY_TAG: discovery}}],
        "blockDeviceMappings": disks,
        "metadataOptions": {
            "httpEndpoint": "enabled",
            "httpTokens": "required",
            "httpPutResponseHopLimit": 1,
        },
        "kubelet": {"maxPods": pool.pool.max_pods},
        "tags": dict(tags),
    }
    if plan.raid0:
        content["instanceStorePolicy"] = "RAID0"
    if isinstance(pool.pool.capacity, Reservation):
        content["capacityReservationSelectorTerms"] = [{"id": pool.pool.capacity.reservation}]
    return content


def _disk(device: str, kind: str, gib: int) -> dict[str, Any]:
    volume = {
        "volumeSize": f"{gib}Gi",
        "volumeType": kind,
        "encrypted": True,
        "deleteOnTermination": True,
    }
    return {"deviceName": device, "ebs": volume}


def node_pool(pool: ResolvedPool) -> dict[str, Any]:
    requirements = {
        "node.kubernetes.io/instance-type": [pool.machine.name],
        "karpenter.sh/capacity-type": [CAPACITY_TYPES[pool.pool.capacity.kind]],
        "topology.kubernetes.io/zone": list(pool.zones),
        "kubernetes.io/arch": ["amd64" if pool.architecture == "x86_64" else "arm64"],
    }
    spec = {
        "nodeClassRef": {
            "group": "karpenter.k8s.aws",
            "kind": "EC2NodeClass",
            "name": pool.name,
        },
        "requirements": [
            {"key": key, "operator": "In", "values": each} for key, each in requirements.items()
        ],
        "taints": [
            {"key": each.key, "value": each.value, "effect": each.effect} for each in pool.taints
        ],
        "expireAfter": NODE_LIFE,
    }
    return {
        "template": {"metadata": {"labels": dict(pool.labels)}, "spec": spec},
        "limits": {GPU_RESOURCE: str(pool.pool.nodes_max * pool.machine.gpu.count)},
        # Pods that serve are not moved to save a node; a node without them goes.
        "disruption": {
            "consolidationPolicy": "WhenEmpty",
            "consolidateAfter": IDLE_TIME,
            "budgets": [{"nodes": str(max(1, pool.pool.upgrade.max_unavailable))}],
        },
    }


def _object(
    name: str,
    api_version: str,
    kind: str,
    object_name: str,
    spec: Mapping[str, Any],
    opts: pulumi.ResourceOptions,
) -> pulumi.Resource:
    return apiextensions.CustomResource(
        f"{name}-{kind.lower()}",
        api_version=api_version,
        kind=kind,
        metadata=meta.v1.ObjectMetaArgs(name=object_name),
        spec=spec,
        opts=opts,
    )
