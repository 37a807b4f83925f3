"""Address ranges that overlap, or are too small for the pools at their largest."""

from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import combinations

from tidegate.spec.catalogue import Cloud
from tidegate.spec.errors import SpecError
from tidegate.spec.network_plan import (
    RESERVED_ADDRESSES,
    RFC_1918,
    NetworkPlan,
    aws_node_addresses,
    gke_node_block,
    gke_node_range,
    is_private,
    prefix_for,
    subnets,
)
from tidegate.spec.pool_facts import Findings

GKE_CONTROL_PLANE_PREFIX = 28
VPC_PREFIXES = (16, 28)
"""Largest and smallest range of a VPC of AWS."""
_EKS_SERVICES_PREFIXES = (12, 24)
"""Largest and smallest, below RFC_1918: EKS API, KubernetesNetworkConfigRequest.serviceIpv4Cidr."""


@dataclass(frozen=True)
class PoolAddresses:
    """The most nodes of a pool that can be in one zone, and in all, with the pods of each."""

    nodes_in_zone: dict[str, int]
    nodes: int
    max_pods: int


def network_findings(
    plan: NetworkPlan,
    cloud: Cloud,
    zones: tuple[str, ...],
    regional: tuple[str, ...],
    pools: tuple[PoolAddresses, ...],
) -> Findings:
    """Ranges that overlap or are too small. Fields begin with `network`.

    `regional` zones are those that are no Local Zones.
    """
    yield from _range_findings(plan, cloud)
    if cloud == "aws":
        yield from _aws_findings(plan, zones, regional, pools)
    else:
        yield from _gke_findings(plan, pools)


def _range_findings(plan: NetworkPlan, cloud: Cloud) -> Findings:
    ranges = {"cidr": plan.cidr, "servicesCidr": plan.services_cidr}
    if cloud == "gcp":
        ranges |= {
            "podsCidr": plan.pods_cidr,
            "controlPlaneCidr": plan.control_plane_cidr,
            "fabricCidr": plan.fabric_cidr,
        }
    for name, each in ranges.items():
        if not is_private(each):
            yield SpecError(
                f"network.{name}",
                each,
                "these are addresses of the internet, and those who own them could not be reached",
                "a part of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10",
            )
    for (one, first), (other, second) in combinations(ranges.items(), 2):
        if IPv4Network(first).overlaps(IPv4Network(second)):
            yield SpecError(
                f"network.{other}",
                second,
                f"it overlaps {one} ({first}) and packets would go astray",
                "a private range of its own",
            )


def _services_findings(services_cidr: str) -> Findings:
    services, (largest, smallest) = IPv4Network(services_cidr), _EKS_SERVICES_PREFIXES
    private = is_private(services_cidr)  # otherwise it is refused already
    if private and not any(services.subnet_of(each) for each in RFC_1918):
        yield SpecError(
            "network.servicesCidr",
            services_cidr,
            "EKS takes Services' addresses from 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16 alone",
            "a part of one of them, such as 172.20.0.0/16",
        )
    if not largest <= services.prefixlen <= smallest:
        yield SpecError(
            "network.servicesCidr",
            services_cidr,
            f"EKS takes a range between /{largest} and /{smallest}",
            "a range such as 172.20.0.0/16",
        )


def _aws_findings(
    plan: NetworkPlan,
    zones: tuple[str, ...],
    regional: tuple[str, ...],
    pools: tuple[PoolAddresses, ...],
) -> Findings:
    yield from _services_findings(plan.services_cidr)
    largest, smallest = VPC_PREFIXES
    if not largest <= IPv4Network(plan.cidr).prefixlen <= smallest:
        yield SpecError(
            "network.cidr",
            plan.cidr,
            f"a VPC of AWS is between /{largest} and /{smallest}",
            f"a range such as 10.0.0.0/{largest}",
        )
        return
    try:
        subnets(plan, zones, regional)
    except SpecError as error:
        yield error
        return
    there = 2 ** (32 - plan.node_prefix) - RESERVED_ADDRESSES
    by_zone = {
        zone: sum(
            pool.nodes_in_zone.get(zone, 0) * aws_node_addresses(pool.max_pods) for pool in pools
        )
        for zone in zones
    }
    fullest = max(by_zone, key=lambda zone: by_zone[zone])
    needed = by_zone[fullest]
    if needed > there:
        yield SpecError(
            "network.nodePrefix",
            plan.node_prefix,
            f"the subnet of {fullest} has {there} addresses, and the pools at their largest take "
            f"{needed} for nodes and pods",
            f"nodePrefix: {prefix_for(needed + RESERVED_ADDRESSES)}, fewer nodes, or a smaller "
            "maxPods",
        )


def _gke_findings(plan: NetworkPlan, pools: tuple[PoolAddresses, ...]) -> Findings:
    if IPv4Network(plan.control_plane_cidr).prefixlen != GKE_CONTROL_PLANE_PREFIX:
        yield SpecError(
            "network.controlPlaneCidr",
            plan.control_plane_cidr,
            f"the control plane of a private cluster takes a /{GKE_CONTROL_PLANE_PREFIX}",
            "a range such as 172.16.0.0/28",
        )
    try:
        nodes_range = IPv4Network(gke_node_range(plan))
    except SpecError as error:
        yield error
        return
    nodes = sum(pool.nodes for pool in pools)
    there = nodes_range.num_addresses - RESERVED_ADDRESSES
    if nodes > there:
        yield SpecError(
            "network.nodePrefix",
            plan.node_prefix,
            f"the subnetwork has {there} addresses and the pools have {nodes} nodes at their "
            "largest",
            f"nodePrefix: {prefix_for(nodes + RESERVED_ADDRESSES)}, or fewer nodes",
        )
    needed = sum(pool.nodes * gke_node_block(pool.max_pods) for pool in pools)
    pods = IPv4Network(plan.pods_cidr).num_addresses
    if needed > pods:
        yield SpecError(
            "network.podsCidr",
            plan.pods_cidr,
            f"it has {pods} addresses, and GKE gives the pools' nodes {needed} at their largest",
            f"a /{prefix_for(needed)}, fewer nodes, or a smaller maxPods",
        )
