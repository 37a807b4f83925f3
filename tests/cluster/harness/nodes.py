"""Nodes that look like GPU instances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from lightkube import Client
from lightkube.resources.core_v1 import Node as NodeObject

from tests.cluster.harness.kubelet.log_server import PORT as LOG_PORT
from tests.cluster.harness.kubelet.stand_in import StandInKubelet

POOL_LABEL = "tidegate.dev/accelerator-pool"
GPU = "nvidia.com/gpu"
EFA = "vpc.amazonaws.com/efa"
RDMA = "rdma/rdma_shared_device_a"
REGION = "eu-central-1"
KWOK_ANNOTATION = {"kwok.x-k8s.io/node": "fake"}


class Kubelet(StrEnum):
    """Who plays the node's kubelet: kwok pretends that pods run, the stand-in runs them."""

    KWOK = "kwok"
    STAND_IN = "stand-in"


@dataclass(frozen=True)
class Node:
    """`extra` are further resources, such as `vpc.amazonaws.com/efa`. GPU nodes are tainted."""

    name: str
    kubelet: Kubelet
    pool: str | None = None
    instance_type: str = "m7i.4xlarge"
    zone: str = f"{REGION}a"
    gpus: int = 0
    cpu: str = "64"
    memory: str = "256Gi"
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> dict[str, str]:
        labels = {
            "kubernetes.io/hostname": self.name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "node.kubernetes.io/instance-type": self.instance_type,
            "topology.kubernetes.io/region": REGION,
            "topology.kubernetes.io/zone": self.zone,
        }
        return labels | ({POOL_LABEL: self.pool} if self.pool else {})

    @property
    def resources(self) -> dict[str, str]:
        common = {"cpu": self.cpu, "memory": self.memory, "pods": "110"}
        storage = {"ephemeral-storage": "500Gi"}
        return common | storage | ({GPU: str(self.gpus)} if self.gpus else {}) | dict(self.extra)

    def manifest(self, address: str) -> dict[str, Any]:
        """The Node object. `address` is where the API server reaches its kubelet."""
        taints = [{"key": GPU, "value": "present", "effect": "NoSchedule"}] if self.gpus else []
        since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "lastHeartbeatTime": since,
            "lastTransitionTime": since,
        }
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": self.name,
                "labels": self.labels,
                "annotations": KWOK_ANNOTATION if self.kubelet is Kubelet.KWOK else {},
            },
            "spec": {"taints": taints},
            "status": {
                "capacity": self.resources,
                "allocatable": self.resources,
                "conditions": [ready],
                "addresses": [
                    {"type": "InternalIP", "address": address},
                    {"type": "Hostname", "address": self.name},
                ],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": LOG_PORT}},
                "nodeInfo": _node_info(),
            },
        }


DEFAULT_NODES = (
    *(
        Node(f"general-{number}", Kubelet.STAND_IN, zone=f"{REGION}{zone}")
        for number, zone in enumerate("ab")
    ),
    *(
        Node(
            f"l4-{number}",
            Kubelet.STAND_IN,
            pool="l4",
            instance_type="g6.12xlarge",
            zone=f"{REGION}{zone}",
            gpus=4,
            cpu="48",
            memory="192Gi",
        )
        for number, zone in enumerate("ab")
    ),
    *(
        Node(
            f"h100-{number}",
            Kubelet.KWOK,
            pool="h100",
            instance_type="p5.48xlarge",
            zone=f"{REGION}{zone}",
            gpus=8,
            cpu="192",
            memory="2Ti",
            extra={EFA: "32", RDMA: "8"},
        )
        for number, zone in enumerate("abab")
    ),
)


class Nodes:
    """The cluster's nodes."""

    def __init__(self, client: Client, kubelet: StandInKubelet, address: str) -> None:
        self._client = client
        self._kubelet = kubelet
        self._address = address

    def add(self, *nodes: Node) -> None:
        for node in nodes:
            made: Any = NodeObject.from_dict(node.manifest(self._address))
            self._client.create(made)
            if node.kubelet is Kubelet.STAND_IN:
                self._kubelet.adopt(node.name)

    def remove(self, name: str) -> None:
        """Take a node away with everything that runs on it."""
        self._kubelet.lose(name)
        self._client.delete(NodeObject, name)

    def lose(self, name: str) -> None:
        """A stand-in node dies: its pods' processes end, and it is heard of no more."""
        self._kubelet.lose(name)

    def recover(self, name: str) -> None:
        """A lost node is back, without the processes that it ran."""
        self._kubelet.adopt(name)


def _node_info() -> dict[str, str]:
    return {
        "architecture": "amd64",
        "bootID": "",
        "containerRuntimeVersion": "stand-in://1",
        "kernelVersion": "6.1",
        "kubeProxyVersion": "",
        "kubeletVersion": "v1.36.3",
        "machineID": "",
        "operatingSystem": "linux",
        "osImage": "test",
        "systemUUID": "",
    }
