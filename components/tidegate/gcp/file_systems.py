"""The hot and the warm tier: file systems that many nodes mount."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import compute, filestore, lustre, parallelstore, servicenetworking

from tidegate.gcp.naming import bounded, description_of, name_for
from tidegate.gcp.project import Project
from tidegate.gcp.protection import guarded
from tidegate.spec.storage_tiers import Filestore, ManagedLustre, Parallelstore

SERVICE_PREFIX = 20
"""Size of the range for Google's services: a Managed Lustre instance takes a /23 or more of it."""

LUSTRE_PORTS = ("988", "6988")
"""LNET's, and the one of instances with support for GKE, which nodes older than 1.33.2-gke.4655000
need: `enable_legacy_lustre_port` of the cluster's driver goes with it."""

FILESTORE_SHARE = "share"
OWN_KEY_TIERS = ("ZONAL", "REGIONAL")
"""Tiers of Filestore that take a key of the user's; the basic ones have Google's."""


@dataclass(frozen=True, kw_only=True)
class FileSystemArgs:
    """What all file systems need. `network` is a VPC's id, `key` the name of a key."""

    project: Project
    region: str
    network: pulumi.Input[str]
    labels: Mapping[str, str]
    key: pulumi.Input[str]
    protect: bool


@dataclass(frozen=True)
class MountedShare:
    """How a CSI driver finds the share: the handle of a volume, and the driver's attributes."""

    driver: str
    handle: pulumi.Output[str]
    attributes: Mapping[str, pulumi.Input[str]]
    capacity_gib: int


@dataclass(frozen=True, kw_only=True)
class ServiceConnectionArgs:
    """Arguments of a `ServiceConnection`.

    `ports` of TCP on which the services reach the nodes; None for all of them.
    """

    project: Project
    network: pulumi.Input[str]
    labels: Mapping[str, str]
    ports: Sequence[str] | None


class ServiceConnection(pulumi.ComponentResource):
    """A range of the VPC for Google's own services, which are reached by peering."""

    range_name: pulumi.Output[str]

    def __init__(
        self, name: str, args: ServiceConnectionArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:gcp:ServiceConnection", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        address = compute.GlobalAddress(
            name_for(name),
            project=args.project.id,
            purpose="VPC_PEERING",
            address_type="INTERNAL",
            prefix_length=SERVICE_PREFIX,
            network=args.network,
            labels=dict(args.labels),
            opts=own,
        )
        connection = servicenetworking.Connection(
            name_for(name),
            network=args.network,
            service="servicenetworking.googleapis.com",
            reserved_peering_ranges=[address.name],
            # The services let go of it only days after their last instance; it goes with the VPC.
            deletion_policy="ABANDON",
            update_on_creation_fail=True,
            opts=own,
        )
        compute.Firewall(
            name_for(name),
            project=args.project.id,
            description=description_of(args.labels),
            network=args.network,
            direction="INGRESS",
            source_ranges=[pulumi.Output.concat(address.address, f"/{SERVICE_PREFIX}")],
            allows=[
                compute.FirewallAllowArgs(
                    protocol="tcp", ports=list(args.ports) if args.ports is not None else None
                )
            ],
            opts=own,
        )
        self.range_name = pulumi.Output.all(address.name, connection.id).apply(
            lambda both: str(both[0])
        )
        self.register_outputs({"rangeName": self.range_name})


def declare_lustre(
    name: str,
    spec: ManagedLustre,
    args: FileSystemArgs,
    parent: pulumi.Resource,
    connection: ServiceConnection,
) -> MountedShare:
    """A Managed Lustre instance that GKE nodes may mount."""
    instance_id = bounded(name)
    instance = lustre.Instance(
        name,
        project=args.project.id,
        location=spec.zone,
        instance_id=instance_id,
        filesystem=spec.filesystem,
        capacity_gib=str(spec.capacity_gib),
        per_unit_storage_throughput=str(spec.throughput),
        network=args.network,
        kms_key=args.key,
        gke_support_enabled=True,
        labels=dict(args.labels),
        opts=guarded(parent, args.protect, [connection]),
    )
    return MountedShare(
        driver="lustre.csi.storage.gke.io",
        handle=pulumi.Output.concat(
            f"{args.project.id}/{spec.zone}/",
            instance.instance_id,
            "/default-pool/default-container",
        ),
        attributes={
            "ip": instance.mount_point.apply(lambda point: point.split("@")[0]),
            "filesystem": spec.filesystem,
        },
        capacity_gib=spec.capacity_gib,
    )


def declare_parallelstore(
    name: str,
    spec: Parallelstore,
    args: FileSystemArgs,
    parent: pulumi.Resource,
    connection: ServiceConnection,
) -> MountedShare:
    """A Parallelstore instance: scratch space, encrypted by Google, which takes no other key."""
    instance = parallelstore.Instance(
        name,
        project=args.project.id,
        location=spec.zone,
        instance_id=bounded(name),
        capacity_gib=str(spec.capacity_gib),
        deployment_type="SCRATCH",
        network=args.network,
        reserved_ip_range=connection.range_name,
        labels=dict(args.labels),
        opts=guarded(parent, args.protect),
    )
    return MountedShare(
        driver="parallelstore.csi.storage.gke.io",
        handle=pulumi.Output.concat(
            f"{args.project.id}/{spec.zone}/",
            instance.instance_id,
            "/default-pool/default-container",
        ),
        attributes={
            "accessPoints": instance.access_points.apply(lambda points: ",".join(points)),
            "network": args.network,
        },
        capacity_gib=spec.capacity_gib,
    )


def declare_filestore(
    name: str,
    spec: Filestore,
    args: FileSystemArgs,
    parent: pulumi.Resource,
    connection: ServiceConnection,
) -> MountedShare:
    """A Filestore instance over NFS, in one zone or in the whole region."""
    own_key = spec.tier in OWN_KEY_TIERS
    location = spec.zone or args.region
    instance = filestore.Instance(
        name_for(name),
        project=args.project.id,
        location=location,
        tier=spec.tier,
        file_shares=filestore.InstanceFileSharesArgs(
            name=FILESTORE_SHARE, capacity_gb=spec.capacity_gib
        ),
        networks=[
            filestore.InstanceNetworkArgs(
                network=args.network,
                modes=["MODE_IPV4"],
                connect_mode="PRIVATE_SERVICE_ACCESS",
                reserved_ip_range=connection.range_name,
            )
        ],
        kms_key_name=args.key if own_key else None,
        deletion_protection_enabled=args.protect if own_key else None,
        labels=dict(args.labels),
        opts=guarded(parent, args.protect),
    )
    return MountedShare(
        driver="filestore.csi.storage.gke.io",
        handle=pulumi.Output.concat(
            f"modeInstance/{location}/", instance.name, f"/{FILESTORE_SHARE}"
        ),
        attributes={
            "ip": instance.networks.apply(_address),
            "volume": FILESTORE_SHARE,
        },
        capacity_gib=spec.capacity_gib,
    )


def _address(networks: Sequence[filestore.outputs.InstanceNetwork]) -> str:
    addresses = networks[0].ip_addresses or ("",)
    return str(addresses[0])
