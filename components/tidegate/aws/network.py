"""The cluster's own network: private nodes, NAT gateways by zone, AWS's APIs inside."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2, vpc

from tidegate.aws.tags import named
from tidegate.spec.network_plan import NetworkPlan, regional_zones, subnets

INTERFACE_ENDPOINTS = ("ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "logs", "sts")
"""What nodes and pods call all the time. Image layers come from S3 by the gateway endpoint."""

EVERYWHERE = "0.0.0.0/0"
DISCOVERY_TAG = "karpenter.sh/discovery"


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """Arguments of a `Network`. `cluster` is the name by which Karpenter finds its subnets."""

    cluster: str
    region: str
    zones: tuple[str, ...]
    plan: NetworkPlan
    tags: Mapping[str, str]


class Network(pulumi.ComponentResource):
    """A VPC with a private and a public subnet in each zone. Nodes have no public address.

    Subnets are by zone. A Local Zone has a private one alone: not all of them take NAT gateways,
    and the address of one would have to come from the zone's own network border group.

    https://docs.aws.amazon.com/local-zones/latest/ug/local-zones-connectivity-nat.html
    """

    vpc_id: pulumi.Output[str]
    private_subnets: Mapping[str, pulumi.Output[str]]
    public_subnets: Mapping[str, pulumi.Output[str]]

    def __init__(
        self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:aws:Network", name, None, opts)
        self._name, self._args = name, args
        self._own = pulumi.ResourceOptions(parent=self)
        self._regional = regional_zones(args.region, args.zones)
        ranges = subnets(args.plan, args.zones, self._regional)
        network = ec2.Vpc(
            name,
            cidr_block=args.plan.cidr,
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags=named(args.tags, name),
            opts=self._own,
        )
        self.vpc_id = network.id
        # Whatever is started without a group of its own reaches nothing.
        ec2.DefaultSecurityGroup(
            name, vpc_id=network.id, tags=named(args.tags, f"{name}-default"), opts=self._own
        )
        gateway = ec2.InternetGateway(
            name, vpc_id=network.id, tags=named(args.tags, name), opts=self._own
        )
        public = self._public(ranges.public, gateway)
        private, tables = self._private(ranges.private, self._gateways(public, gateway))
        self.public_subnets = {zone: each.id for zone, each in public.items()}
        self.private_subnets = {zone: each.id for zone, each in private.items()}
        self._endpoints(tables)
        self.register_outputs(
            {
                "vpcId": self.vpc_id,
                "privateSubnets": self.private_subnets,
                "publicSubnets": self.public_subnets,
            }
        )

    @property
    def regional_subnets(self) -> Mapping[str, pulumi.Output[str]]:
        """The private ones outside of Local Zones."""
        return {zone: self.private_subnets[zone] for zone in self._regional}

    def _public(
        self, ranges: Mapping[str, str], gateway: ec2.InternetGateway
    ) -> dict[str, ec2.Subnet]:
        """Subnets for load balancers and NAT gateways."""
        name, tags = self._name, self._args.tags
        table = ec2.RouteTable(
            f"{name}-public",
            vpc_id=self.vpc_id,
            routes=[ec2.RouteTableRouteArgs(cidr_block=EVERYWHERE, gateway_id=gateway.id)],
            tags=named(tags, f"{name}-public"),
            opts=self._own,
        )
        made = {}
        for zone, cidr in ranges.items():
            label = f"{name}-public-{zone}"
            made[zone] = self._subnet(label, zone, cidr, {"kubernetes.io/role/elb": "1"})
            self._route(label, made[zone], table)
        return made

    def _gateways(
        self, public: Mapping[str, ec2.Subnet], gateway: ec2.InternetGateway
    ) -> dict[str, ec2.NatGateway]:
        """A zone that fails takes no other zone's way out with it, but those of Local Zones."""
        made = {}
        for zone, subnet in public.items():
            label = f"{self._name}-private-{zone}"
            tags = named(self._args.tags, label)
            address = ec2.Eip(label, domain="vpc", tags=tags, opts=self._own)
            made[zone] = ec2.NatGateway(
                label,
                allocation_id=address.id,
                subnet_id=subnet.id,
                tags=tags,
                # EC2 refuses one in a VPC without it, and to detach it while they have addresses.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[gateway]),
            )
        return made

    def _private(
        self, ranges: Mapping[str, str], gateways: Mapping[str, ec2.NatGateway]
    ) -> tuple[dict[str, ec2.Subnet], list[ec2.RouteTable]]:
        """Subnets for nodes and pods. Those of Local Zones go out by the first regional zone."""
        name, tags = self._name, self._args.tags
        role = {"kubernetes.io/role/internal-elb": "1", DISCOVERY_TAG: self._args.cluster}
        made, tables = {}, []
        for zone, cidr in ranges.items():
            label = f"{name}-private-{zone}"
            nat = gateways.get(zone, gateways[self._regional[0]])
            table = ec2.RouteTable(
                label,
                vpc_id=self.vpc_id,
                routes=[ec2.RouteTableRouteArgs(cidr_block=EVERYWHERE, nat_gateway_id=nat.id)],
                tags=named(tags, label),
                opts=self._own,
            )
            made[zone] = self._subnet(label, zone, cidr, role)
            self._route(label, made[zone], table)
            tables.append(table)
        return made, tables

    def _subnet(self, label: str, zone: str, cidr: str, role: Mapping[str, str]) -> ec2.Subnet:
        return ec2.Subnet(
            label,
            vpc_id=self.vpc_id,
            availability_zone=zone,
            cidr_block=cidr,
            map_public_ip_on_launch=False,
            tags=named({**self._args.tags, **role}, label),
            opts=self._own,
        )

    def _route(self, label: str, subnet: ec2.Subnet, table: ec2.RouteTable) -> None:
        ec2.RouteTableAssociation(
            label, subnet_id=subnet.id, route_table_id=table.id, opts=self._own
        )

    def _endpoints(self, tables: list[ec2.RouteTable]) -> None:
        name, region, tags = self._name, self._args.region, self._args.tags
        ec2.VpcEndpoint(
            f"{name}-s3",
            vpc_id=self.vpc_id,
            service_name=f"com.amazonaws.{region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[each.id for each in tables],
            tags=named(tags, f"{name}-s3"),
            opts=self._own,
        )
        group = ec2.SecurityGroup(
            f"{name}-endpoints",
            description="AWS's APIs, from inside the VPC",
            vpc_id=self.vpc_id,
            tags=named(tags, f"{name}-endpoints"),
            opts=self._own,
        )
        vpc.SecurityGroupIngressRule(
            f"{name}-endpoints",
            security_group_id=group.id,
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            cidr_ipv4=self._args.plan.cidr,
            tags=named(tags, f"{name}-endpoints"),
            opts=self._own,
        )
        for service in INTERFACE_ENDPOINTS:
            label = f"{name}-{service.replace('.', '-')}"
            ec2.VpcEndpoint(
                label,
                vpc_id=self.vpc_id,
                service_name=f"com.amazonaws.{region}.{service}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=list(self.regional_subnets.values()),
                security_group_ids=[group.id],
                tags=named(tags, label),
                opts=self._own,
            )
