"""The cluster's own network: private nodes, addresses for pods and Services, a way out by NAT."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_gcp import compute

from tidegate.gcp.naming import description_of, name_for
from tidegate.gcp.project import Project
from tidegate.spec.network_plan import NetworkPlan, gke_node_range

PODS_RANGE = "pods"
SERVICES_RANGE = "services"
WEBHOOK_PORTS = ("8443", "9443")
"""Usual ports of operators' admission webhooks. GKE itself lets the control plane reach the nodes'
ports 443 and 10250 alone."""


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """Arguments of a `Network`. `mtu` in bytes: 1460 is the cloud's default, 8896 its most."""

    project: Project
    region: str
    plan: NetworkPlan
    labels: Mapping[str, str]
    mtu: int = 8896


class Network(pulumi.ComponentResource):
    """A VPC with one subnetwork. Nothing in it has an address on the internet."""

    id: pulumi.Output[str]
    subnetwork: pulumi.Output[str]

    def __init__(
        self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:gcp:Network", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        description = description_of(args.labels)
        network = compute.Network(
            name_for(name),
            project=args.project.id,
            description=description,
            auto_create_subnetworks=False,
            routing_mode="REGIONAL",
            mtu=args.mtu,
            opts=own,
        )
        subnetwork = compute.Subnetwork(
            name_for(name, "nodes"),
            project=args.project.id,
            description=description,
            region=args.region,
            network=network.id,
            ip_cidr_range=gke_node_range(args.plan),
            secondary_ip_ranges=[
                compute.SubnetworkSecondaryIpRangeArgs(
                    range_name=PODS_RANGE, ip_cidr_range=args.plan.pods_cidr
                ),
                compute.SubnetworkSecondaryIpRangeArgs(
                    range_name=SERVICES_RANGE, ip_cidr_range=args.plan.services_cidr
                ),
            ],
            # Google's APIs (storage, registry, logs) are reached without NAT.
            private_ip_google_access=True,
            log_config=compute.SubnetworkLogConfigArgs(
                aggregation_interval="INTERVAL_5_MIN",
                flow_sampling=0.1,
                metadata="INCLUDE_ALL_METADATA",
            ),
            opts=own,
        )
        compute.Firewall(
            name_for(name, "webhooks"),
            project=args.project.id,
            description=description,
            network=network.id,
            direction="INGRESS",
            source_ranges=[args.plan.control_plane_cidr],
            allows=[compute.FirewallAllowArgs(protocol="tcp", ports=list(WEBHOOK_PORTS))],
            opts=own,
        )
        router = compute.Router(
            name_for(name),
            project=args.project.id,
            description=description,
            region=args.region,
            network=network.id,
            opts=own,
        )
        compute.RouterNat(
            name_for(name),
            project=args.project.id,
            region=args.region,
            router=router.name,
            nat_ip_allocate_option="AUTO_ONLY",
            source_subnetwork_ip_ranges_to_nat="LIST_OF_SUBNETWORKS",
            subnetworks=[
                compute.RouterNatSubnetworkArgs(
                    name=subnetwork.id, source_ip_ranges_to_nats=["ALL_IP_RANGES"]
                )
            ],
            enable_dynamic_port_allocation=True,
            enable_endpoint_independent_mapping=False,
            log_config=compute.RouterNatLogConfigArgs(enable=True, filter="ERRORS_ONLY"),
            opts=own,
        )
        self.id = network.id
        self.subnetwork = subnetwork.id
        self.register_outputs({"id": self.id, "subnetwork": self.subnetwork})
