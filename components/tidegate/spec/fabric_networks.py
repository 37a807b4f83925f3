"""The networks between GPUs on Google Cloud: which a cluster has, with ranges that never move.

Pools of one technology share networks, for RDMA those of one zone. Every place has ranges of its
own in the plan, so that a pool that comes or goes changes nobody else's network.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tidegate.spec.errors import SpecError
from tidegate.spec.fabric import GkeNetworks, gke_networks
from tidegate.spec.network_plan import FABRIC_PREFIX, NetworkPlan, fabric_subnets
from tidegate.spec.node_pool import NodePool
from tidegate.spec.pool_facts import Findings, PoolFacts

Technology = Literal["TCPX", "TCPXO", "RDMA"]
FABRIC_NODES = 2 ** (32 - FABRIC_PREFIX) - 4
"""Nodes that a range holds; Google Cloud keeps four addresses."""

_RANGES: dict[Technology, int] = {"TCPX": 4, "TCPXO": 8, "RDMA": 9}
"""Of each technology, gVNIC's and RDMA's together."""


@dataclass(frozen=True)
class FabricNetworks:
    """Networks that the pools named share.

    One VPC with one range for each of `gvnic_ranges`. `rdma_ranges` are subnetworks of one VPC,
    which has the network profile `profile`. `zone` is there for RDMA only.
    """

    technology: Technology
    zone: str | None
    gvnic_ranges: tuple[str, ...]
    rdma_ranges: tuple[str, ...]
    mtu: int
    profile: str | None
    pools: tuple[str, ...]


def fabric_networks(plan: NetworkPlan, pools: Iterable[PoolFacts]) -> tuple[FabricNetworks, ...]:
    """Those that the cluster declares; GKE attaches the others itself.

    Raises SpecError when the plan has no room for them.
    """
    groups: dict[tuple[Technology, str | None], list[PoolFacts]] = {}
    shapes: dict[Technology, GkeNetworks] = {}
    for facts in pools:
        direct = facts.machine.gpu_direct
        if direct is not None and _explicit(facts.pool):
            zone = facts.zones[0] if direct.technology == "RDMA" else None
            groups.setdefault((direct.technology, zone), []).append(facts)
            shapes[direct.technology] = gke_networks(direct, "explicit")
    return tuple(
        _networks(plan, technology, zone, group, shapes[technology])
        for (technology, zone), group in sorted(groups.items(), key=str)
    )


def fabric_network_findings(plan: NetworkPlan, pools: tuple[PoolFacts, ...]) -> Findings:
    """Ranges that do not fit, or hold too few nodes."""
    try:
        networks = fabric_networks(plan, pools)
    except SpecError as error:
        yield error
        return
    sizes = {facts.pool.name: facts.pool.nodes_max for facts in pools}
    for each in networks:
        nodes = sum(sizes[name] for name in each.pools)
        if nodes > FABRIC_NODES:
            yield SpecError(
                "pools",
                ", ".join(each.pools),
                f"they have {nodes} nodes at their largest on networks that hold {FABRIC_NODES}",
                f"at most {FABRIC_NODES} nodes together, or fabric.mode: managed where GKE offers "
                "it",
            )


def _explicit(pool: NodePool) -> bool:
    return pool.fabric.kind == "gpuDirect" and pool.fabric.mode == "explicit"


def _networks(
    plan: NetworkPlan,
    technology: Technology,
    zone: str | None,
    group: list[PoolFacts],
    wanted: GkeNetworks,
) -> FabricNetworks:
    zones = group[0].cluster_zones
    first = _first_range(technology, zones.index(zone) if zone in zones else 0)
    ranges = fabric_subnets(plan, first + _RANGES[technology])[first:]
    return FabricNetworks(
        technology=technology,
        zone=zone,
        gvnic_ranges=ranges[: wanted.gvnic],
        rdma_ranges=ranges[wanted.gvnic : wanted.gvnic + wanted.rdma_subnetworks],
        mtu=wanted.mtu,
        profile=wanted.profile.format(zone=zone) if wanted.profile else None,
        pools=tuple(facts.pool.name for facts in group),
    )


def _first_range(technology: Technology, zone: int) -> int:
    if technology == "TCPX":
        return 0
    if technology == "TCPXO":
        return _RANGES["TCPX"]
    return _RANGES["TCPX"] + _RANGES["TCPXO"] + zone * _RANGES["RDMA"]
