"""The networks between GPUs: extra VPCs for gVNICs, and one VPC with a zone's RDMA profile."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pulumi
from pulumi_gcp import compute

from tidegate.gcp.naming import description_of, name_for
from tidegate.gcp.project import Project
from tidegate.spec.fabric_networks import FabricNetworks

DeviceMode = Literal["NetDevice", "RDMA"]


@dataclass(frozen=True)
class NodeNetwork:
    """A network as GKE names it: `name` of its object in the cluster, VPC, subnetwork."""

    name: str
    network: pulumi.Output[str]
    subnetwork: pulumi.Output[str]
    device_mode: DeviceMode


def short_name(networks: FabricNetworks) -> str:
    """`tcpx`, `tcpxo`, or `rdma-a` for those of the zone a."""
    technology = networks.technology.lower()
    return f"{technology}-{networks.zone.rpartition('-')[2]}" if networks.zone else technology


@dataclass(frozen=True, kw_only=True)
class GpuNetworksArgs:
    """Arguments of `GpuNetworks`. `plan` has their ranges and sizes."""

    project: Project
    region: str
    plan: FabricNetworks
    labels: Mapping[str, str]


class GpuNetworks(pulumi.ComponentResource):
    """Networks that the GPUs of some pools share, in the order in which nodes take them."""

    networks: tuple[NodeNetwork, ...]

    def __init__(
        self, name: str, args: GpuNetworksArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:gcp:GpuNetworks", name, None, opts)
        self._name, self._args = name, args
        self._opts = pulumi.ResourceOptions(parent=self)
        self._description = description_of(args.labels)
        # gVNICs first: nodes number their interfaces in this order.
        self.networks = (*self._gvnic_networks(), *self._rdma_networks())
        self.register_outputs({})

    def _gvnic_networks(self) -> list[NodeNetwork]:
        made = []
        for index, cidr in enumerate(self._args.plan.gvnic_ranges):
            part = f"gvnic-{index + 1}"
            network = self._network(part, None)
            subnetwork = self._subnetwork(part, network, cidr)
            self._allow_inside(part, network, cidr)
            made.append(
                NodeNetwork(self._object_name(part), network.name, subnetwork.name, "NetDevice")
            )
        return made

    def _rdma_networks(self) -> list[NodeNetwork]:
        plan = self._args.plan
        if plan.profile is None:
            return []
        # Without firewall rules: its profile admits none.
        network = self._network(
            "gpu", f"projects/{self._args.project.id}/global/networkProfiles/{plan.profile}"
        )
        made = []
        for index, cidr in enumerate(plan.rdma_ranges):
            part = f"gpu-{index}"
            subnetwork = self._subnetwork(part, network, cidr)
            made.append(NodeNetwork(self._object_name(part), network.name, subnetwork.name, "RDMA"))
        return made

    def _network(self, part: str, profile: str | None) -> compute.Network:
        args = self._args
        return compute.Network(
            name_for(self._name, part),
            project=args.project.id,
            description=self._description,
            auto_create_subnetworks=False,
            routing_mode="REGIONAL",
            mtu=args.plan.mtu,
            network_profile=profile,
            delete_default_routes_on_create=False,
            opts=self._opts,
        )

    def _subnetwork(self, part: str, network: compute.Network, cidr: str) -> compute.Subnetwork:
        args = self._args
        return compute.Subnetwork(
            name_for(self._name, part),
            project=args.project.id,
            description=self._description,
            region=args.region,
            network=network.id,
            ip_cidr_range=cidr,
            opts=self._opts,
        )

    def _allow_inside(self, part: str, network: compute.Network, cidr: str) -> None:
        """GPUs of different nodes talk over any port of TCP and UDP."""
        args = self._args
        compute.Firewall(
            name_for(self._name, part),
            project=args.project.id,
            description=self._description,
            network=network.id,
            direction="INGRESS",
            source_ranges=[cidr],
            allows=[
                compute.FirewallAllowArgs(protocol="tcp", ports=["0-65535"]),
                compute.FirewallAllowArgs(protocol="udp", ports=["0-65535"]),
                compute.FirewallAllowArgs(protocol="icmp"),
            ],
            opts=self._opts,
        )

    def _object_name(self, part: str) -> str:
        return f"{short_name(self._args.plan)}-{part}"
