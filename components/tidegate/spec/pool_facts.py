"""What the rules about one pool look at."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from tidegate.spec.catalogue import Cloud, MachineType
from tidegate.spec.errors import SpecError
from tidegate.spec.node_pool import NodePool

Findings = Iterator[SpecError]


@dataclass(frozen=True)
class PoolFacts:
    """A pool with its machine type and its cluster. `now` decides what has ended."""

    pool: NodePool
    machine: MachineType
    cloud: Cloud
    cluster_zones: tuple[str, ...]
    kubernetes_version: str
    gke_version: str | None
    now: datetime

    @property
    def zones(self) -> tuple[str, ...]:
        """Where the pool's nodes are: a Capacity Block says it, else the pool, else the cluster."""
        if self.pool.capacity.kind == "capacityBlock" and not self.pool.zones:
            return (self.pool.capacity.zone,)
        return self.pool.zones or self.cluster_zones

    @property
    def compact_by(self) -> tuple[str, object] | None:
        """The field, with its value, that puts the nodes close together; None: nothing does.

        On Google Cloud the pool of a named policy and that of an NVLink domain are compact too.
        """
        placement = self.pool.placement
        if self.cloud == "gcp" and placement.policy_name is not None:
            return "placement.policyName", placement.policy_name
        if self.cloud == "gcp" and placement.topology is not None:
            return "placement.topology", placement.topology
        return ("placement.compact", True) if placement.compact else None

    def is_before(self, gke_version: str) -> bool:
        """Whether the cluster is older for certain: without gkeVersion its patch is not known."""
        there = version_numbers(self.gke_version or self.kubernetes_version)
        return there < version_numbers(gke_version)[: len(there)]


def version_numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version such as 1.34.1-gke.1829001, to compare it with another."""
    parts = version.replace("-gke.", ".").split(".")
    return tuple(int(part) for part in parts if part.isdigit())
