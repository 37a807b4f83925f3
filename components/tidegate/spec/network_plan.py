"""Address ranges of a cluster: subnets by zone, ranges for pods, and how many addresses they need.

AWS gives every pod an address of the node's subnet, here in blocks of 16 (prefix delegation). GKE
gives every node a block of the pods' range. Both come from the range of the VPC or lie beside it.
"""

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Annotated

from pydantic import AfterValidator, Field

from tidegate.spec.errors import SpecError
from tidegate.spec.signature import SpecModel

RESERVED_ADDRESSES = 5
"""First and last addresses of a subnet that AWS keeps; Google Cloud keeps 4."""

ADDRESS_BLOCK = 16
"""Addresses of one delegated prefix (/28) of the VPC CNI."""

SPARE_BLOCKS = 1
"""The CNI keeps one free prefix on each node (its WARM_PREFIX_TARGET)."""

FABRIC_PREFIX = 24

RFC_1918 = tuple(IPv4Network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
_PRIVATE = (*RFC_1918, IPv4Network("100.64.0.0/10"))
"""With RFC 6598, which clouds take for pods."""


def _network(text: str) -> str:
    try:
        IPv4Network(text)
    except ValueError as error:
        raise SpecError("", text, str(error), "an IPv4 range, such as 10.0.0.0/16") from error
    return text


Cidr = Annotated[str, AfterValidator(_network)]


class NetworkPlan(SpecModel):
    """`node_prefix` is the size of the nodes' subnet: one by zone on AWS, one in all on Google.

    `public_prefix` is that of the subnets for load balancers and NAT gateways, one by zone that is
    no Local Zone (AWS).
    Google Cloud alone: the ranges of pods and of the control plane, and `fabric_cidr`, which the
    networks of the GPUs are cut from. `services_cidr` is the range of Kubernetes Services.
    """

    cidr: Cidr = "10.0.0.0/16"
    node_prefix: int = Field(default=19, ge=16, le=28)
    public_prefix: int = Field(default=24, ge=16, le=28)
    pods_cidr: Cidr = "10.128.0.0/14"
    services_cidr: Cidr = "172.20.0.0/16"
    control_plane_cidr: Cidr = "172.16.0.0/28"
    fabric_cidr: Cidr = "192.168.0.0/16"


@dataclass(frozen=True)
class Subnets:
    """Ranges by zone."""

    private: dict[str, str]
    public: dict[str, str]


def subnets(plan: NetworkPlan, zones: tuple[str, ...], regional: tuple[str, ...]) -> Subnets:
    """The ranges of a VPC of AWS: nodes' first, the public ones from the end.

    Public ones are in the `regional` zones alone. A zone keeps its ranges when others are added
    after it. Raises SpecError when they do not fit.
    """
    network = IPv4Network(plan.cidr)
    left = network.num_addresses - len(regional) * 2 ** (32 - plan.public_prefix)
    if len(zones) * 2 ** (32 - plan.node_prefix) > left:
        raise SpecError(
            "network.nodePrefix",
            plan.node_prefix,
            f"{len(zones)} subnets of /{plan.node_prefix} and {len(regional)} of "
            f"/{plan.public_prefix} do not fit into {plan.cidr}",
            f"nodePrefix: {_fitting_prefix(plan, len(zones), left)}, or a larger network.cidr",
        )
    return Subnets(
        private={zone: _part(network, plan.node_prefix, index) for index, zone in enumerate(zones)},
        public={
            zone: _part(network, plan.public_prefix, -1 - index)
            for index, zone in enumerate(regional)
        },
    )


def gke_node_range(plan: NetworkPlan) -> str:
    """Primary range of the one subnetwork of the nodes. Raises SpecError when it does not fit."""
    network = IPv4Network(plan.cidr)
    if plan.node_prefix < network.prefixlen:
        raise SpecError(
            "network.nodePrefix",
            plan.node_prefix,
            f"a subnetwork of /{plan.node_prefix} does not fit into {plan.cidr}",
            f"nodePrefix: {network.prefixlen} or more, or a larger network.cidr",
        )
    return _part(network, plan.node_prefix, 0)


def fabric_subnets(plan: NetworkPlan, count: int) -> tuple[str, ...]:
    """Ranges of the GPUs' networks on Google Cloud, in order. Raises SpecError when too few fit."""
    network = IPv4Network(plan.fabric_cidr)
    there = network.num_addresses >> (32 - FABRIC_PREFIX)
    if count > there:
        raise SpecError(
            "network.fabricCidr",
            plan.fabric_cidr,
            f"the GPUs' networks need {count} ranges of /{FABRIC_PREFIX} and it holds {there}",
            "a larger range, such as 192.168.0.0/16",
        )
    return tuple(_part(network, FABRIC_PREFIX, index) for index in range(count))


def aws_node_addresses(max_pods: int) -> int:
    """Addresses of the subnet that one node takes: its own, and blocks for pods, one spare."""
    blocks = -(-max_pods // ADDRESS_BLOCK) + SPARE_BLOCKS
    return 1 + blocks * ADDRESS_BLOCK


def gke_node_block(max_pods: int) -> int:
    """Addresses of the pods' range that GKE gives one node: twice its pods, as a power of two.

    https://cloud.google.com/kubernetes-engine/docs/how-to/flexible-pod-cidr
    """
    return 1 << (2 * max_pods - 1).bit_length()


def prefix_for(addresses: int) -> int:
    """The longest prefix with so many addresses."""
    return 32 - (addresses - 1).bit_length()


def regional_zones(region: str, zones: tuple[str, ...]) -> tuple[str, ...]:
    """Those that are no Local Zones of AWS: there EKS has no interfaces and most services none.

    https://docs.aws.amazon.com/eks/latest/userguide/local-zones.html
    """
    return tuple(zone for zone in zones if len(zone) == len(region) + 1)


def is_private(cidr: str) -> bool:
    return any(IPv4Network(cidr).subnet_of(each) for each in _PRIVATE)


def _part(network: IPv4Network, prefix: int, index: int) -> str:
    """The part of that size at `index`, which counts from the end when it is negative."""
    size = 2 ** (32 - prefix)
    start = int(network.network_address) + index * size
    return str(IPv4Network((start + (network.num_addresses if index < 0 else 0), prefix)))


def _fitting_prefix(plan: NetworkPlan, zones: int, room: int) -> int:
    """The first node prefix from the plan's on with which the subnets fit."""
    fitting = (each for each in range(plan.node_prefix, 29) if zones * 2 ** (32 - each) <= room)
    return next(fitting, 28)
