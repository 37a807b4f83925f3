"""How a node of a pool is started: interfaces, disks, image settings, capacity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2

from tidegate.aws.tags import named
from tidegate.aws.user_data import user_data
from tidegate.spec.resolved_pool import EksPlan, ResolvedPool

BOOT_DEVICE = {"al2023": "/dev/xvda", "bottlerocket": "/dev/xvdb"}
"""Where images and pods' files are."""

SYSTEM_DEVICE = {"bottlerocket": "/dev/xvda"}
"""A disk for the system alone, of families that have one. Unless it is named, it is encrypted only
where the account's default says so."""
SYSTEM_DISK = "gp3"

TAGGED = ("instance", "volume", "network-interface")


@dataclass(frozen=True, kw_only=True)
class NodeAccess:
    """`groups`: security groups of every interface, the cluster's own included."""

    groups: Sequence[pulumi.Input[str]]
    tags: Mapping[str, str]


def launch_template(
    name: str, pool: ResolvedPool, plan: EksPlan, access: NodeAccess, parent: pulumi.Resource
) -> ec2.LaunchTemplate:
    """Of a managed node group: no subnets and no image, which the group gives."""
    group = _placement_group(name, plan, access.tags, parent)
    return ec2.LaunchTemplate(
        name,
        instance_type=pool.machine.name,
        network_interfaces=_interfaces(pool, access.groups),
        block_device_mappings=_disks(pool, plan),
        # No pod reaches the node's role: two hops would be needed.
        metadata_options=ec2.LaunchTemplateMetadataOptionsArgs(
            http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
        ),
        placement=ec2.LaunchTemplatePlacementArgs(group_name=group.name) if group else None,
        capacity_reservation_specification=_reservation(plan),
        instance_market_options=_market(plan),
        user_data=user_data(pool),
        update_default_version=True,
        tag_specifications=tag_specifications(name, access.tags),
        tags=named(access.tags, name),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def tag_specifications(
    name: str, tags: Mapping[str, str]
) -> list[ec2.LaunchTemplateTagSpecificationArgs]:
    """What EC2 makes with an instance is found by the same tags."""
    return [
        ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags=named(tags, name))
        for kind in TAGGED
    ]


def _placement_group(
    name: str, plan: EksPlan, tags: Mapping[str, str], parent: pulumi.Resource
) -> ec2.PlacementGroup | None:
    if not plan.placement_group:
        return None
    return ec2.PlacementGroup(
        name,
        strategy="cluster",
        tags=named(tags, name),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def _interfaces(
    pool: ResolvedPool, groups: Sequence[pulumi.Input[str]]
) -> list[ec2.LaunchTemplateNetworkInterfaceArgs]:
    """Groups are on each interface: a template may not have them beside interfaces as well."""
    return [
        ec2.LaunchTemplateNetworkInterfaceArgs(
            network_card_index=each.card,
            device_index=each.device,
            interface_type=each.type,
            delete_on_termination="true",
            security_groups=list(groups),
        )
        for each in pool.interfaces
    ]


def _disks(pool: ResolvedPool, plan: EksPlan) -> list[ec2.LaunchTemplateBlockDeviceMappingArgs]:
    family = pool.pool.image.family or "al2023"
    boot = _disk(BOOT_DEVICE[family], plan.boot_disk, pool.pool.disks.boot_gib)
    if family not in SYSTEM_DEVICE:
        return [boot]
    # Without a size it is as large as the image wants it.
    return [boot, _disk(SYSTEM_DEVICE[family], SYSTEM_DISK, None)]


def _disk(device: str, kind: str, gib: int | None) -> ec2.LaunchTemplateBlockDeviceMappingArgs:
    return ec2.LaunchTemplateBlockDeviceMappingArgs(
        device_name=device,
        ebs=ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
            volume_size=gib, volume_type=kind, encrypted="true", delete_on_termination="true"
        ),
    )


def _reservation(
    plan: EksPlan,
) -> ec2.LaunchTemplateCapacityReservationSpecificationArgs | None:
    if plan.capacity_reservation is None:
        return None
    is_group = plan.capacity_reservation.startswith("arn:")
    target = ec2.LaunchTemplateCapacityReservationSpecificationCapacityReservationTargetArgs(
        capacity_reservation_id=None if is_group else plan.capacity_reservation,
        capacity_reservation_resource_group_arn=plan.capacity_reservation if is_group else None,
    )
    return ec2.LaunchTemplateCapacityReservationSpecificationArgs(
        capacity_reservation_target=target
    )


def _market(plan: EksPlan) -> ec2.LaunchTemplateInstanceMarketOptionsArgs | None:
    if plan.market_type is None:
        return None
    return ec2.LaunchTemplateInstanceMarketOptionsArgs(market_type=plan.market_type)
