"""Node groups: one for what every cluster runs, one for each pool of GPUs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pulumi
from pulumi_aws import autoscaling, ec2, eks

from tidegate.aws.launch_templates import NodeAccess, launch_template, tag_specifications
from tidegate.aws.tags import named
from tidegate.spec.capacity import CapacityBlock
from tidegate.spec.catalogue import Architecture, BlockTerms
from tidegate.spec.node_pool import SystemPool
from tidegate.spec.node_settings import aws_architecture
from tidegate.spec.resolved_pool import PURPOSE_LABEL, EksPlan, ResolvedPool

SYSTEM_MACHINE = "m7i.xlarge"
SYSTEM_PURPOSE = "system"
SYSTEM_IMAGES: Mapping[Architecture, str] = {
    "x86_64": "AL2023_x86_64_STANDARD",
    "arm64": "AL2023_ARM_64_STANDARD",
}

TAINT_EFFECTS = {
    "NoSchedule": "NO_SCHEDULE",
    "PreferNoSchedule": "PREFER_NO_SCHEDULE",
    "NoExecute": "NO_EXECUTE",
}
BLOCK_DRAIN_TIME = timedelta(minutes=30)
"""Nodes of a Capacity Block go so long before AWS takes them, for pods to save their work."""


@dataclass(frozen=True, kw_only=True)
class NodeGroupSite:
    """Where node groups go. `needs`: what a node cannot start without. Subnets are by zone."""

    cluster: pulumi.Input[str]
    role_arn: pulumi.Input[str]
    subnets: Mapping[str, pulumi.Input[str]]
    cluster_group: pulumi.Input[str]
    tags: Mapping[str, str]
    needs: Sequence[pulumi.Resource] = ()


@dataclass(frozen=True, kw_only=True)
class SystemNodesArgs:
    """Arguments of `SystemNodes`. They are spread over all of the site's subnets."""

    site: NodeGroupSite
    pool: SystemPool


class SystemNodes(pulumi.ComponentResource):
    """Nodes without GPUs, over all zones, for controllers and agents."""

    group: eks.NodeGroup

    def __init__(
        self, name: str, args: SystemNodesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:aws:SystemNodes", name, None, opts)
        site, pool = args.site, args.pool
        machine = pool.machine_type or SYSTEM_MACHINE
        template = ec2.LaunchTemplate(
            name,
            instance_type=machine,
            vpc_security_group_ids=[site.cluster_group],
            block_device_mappings=[
                ec2.LaunchTemplateBlockDeviceMappingArgs(
                    device_name="/dev/xvda",
                    ebs=ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
                        volume_size=pool.disk_gib,
                        volume_type="gp3",
                        encrypted="true",
                        delete_on_termination="true",
                    ),
                )
            ],
            metadata_options=ec2.LaunchTemplateMetadataOptionsArgs(
                http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
            ),
            update_default_version=True,
            tag_specifications=tag_specifications(name, site.tags),
            tags=named(site.tags, name),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.group = eks.NodeGroup(
            name,
            cluster_name=site.cluster,
            node_role_arn=site.role_arn,
            subnet_ids=list(site.subnets.values()),
            ami_type=SYSTEM_IMAGES[aws_architecture(machine)],
            capacity_type="ON_DEMAND",
            launch_template=_newest(template),
            scaling_config=eks.NodeGroupScalingConfigArgs(
                min_size=pool.nodes.min, max_size=pool.nodes.max, desired_size=pool.nodes.min
            ),
            update_config=eks.NodeGroupUpdateConfigArgs(max_unavailable=1),
            node_repair_config=eks.NodeGroupNodeRepairConfigArgs(enabled=True),
            labels={PURPOSE_LABEL: SYSTEM_PURPOSE},
            tags=named(site.tags, name),
            opts=_group_options(self, site),
        )
        self.register_outputs({})


@dataclass(frozen=True, kw_only=True)
class NodePoolArgs:
    """Arguments of a `NodePool`. `fabric_group` is the security group of pools with EFA.

    `now` tells whether a Capacity Block has begun.
    """

    now: datetime
    site: NodeGroupSite
    pool: ResolvedPool
    plan: EksPlan
    fabric_group: pulumi.Input[str] | None = None


class NodePool(pulumi.ComponentResource):
    """A managed node group of nodes with GPUs."""

    group: eks.NodeGroup

    def __init__(
        self, name: str, args: NodePoolArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:aws:NodePool", name, None, opts)
        site, pool, plan = args.site, args.pool, args.plan
        groups = [site.cluster_group]
        if args.fabric_group is not None:
            groups.append(args.fabric_group)
        template = launch_template(
            name, pool, plan, NodeAccess(groups=groups, tags=site.tags), self
        )
        block = pool.pool.capacity if isinstance(pool.pool.capacity, CapacityBlock) else None
        least = 0 if block else pool.pool.nodes_min
        terms = pool.machine.block_terms
        runs = block is not None and block.starts <= args.now < _last_moment(block, terms)
        self.group = eks.NodeGroup(
            name,
            cluster_name=site.cluster,
            node_role_arn=site.role_arn,
            subnet_ids=[site.subnets[zone] for zone in pool.zones],
            ami_type=plan.ami_type,
            capacity_type=plan.capacity_type,
            launch_template=_newest(template),
            scaling_config=eks.NodeGroupScalingConfigArgs(
                min_size=least,
                max_size=max(1, pool.pool.nodes_max),
                # Of a block what its schedule has set by now: EKS is told it with every change.
                desired_size=pool.pool.nodes_max if runs else least,
            ),
            update_config=eks.NodeGroupUpdateConfigArgs(
                max_unavailable=max(1, pool.pool.upgrade.max_unavailable)
            ),
            node_repair_config=eks.NodeGroupNodeRepairConfigArgs(enabled=pool.auto_repair),
            labels=dict(pool.labels),
            taints=[
                eks.NodeGroupTaintArgs(
                    key=each.key, value=each.value, effect=TAINT_EFFECTS[each.effect]
                )
                for each in pool.taints
            ],
            tags=named(site.tags, name),
            opts=_group_options(
                self, site, scaled_by_others=block is None and not pool.pool.is_static
            ),
        )
        if block is not None:
            self._follow_block(name, block, pool, args.now)
        self.register_outputs({})

    def _follow_block(
        self, name: str, block: CapacityBlock, pool: ResolvedPool, now: datetime
    ) -> None:
        """Nodes come with the block's first minute and leave before AWS takes them.

        AWS refuses actions in the past, so they are declared while they lie ahead.

        https://docs.aws.amazon.com/eks/latest/userguide/capacity-blocks-mng.html
        """
        scaling_group = self.group.resources.apply(_scaling_group)
        nodes, last = pool.pool.nodes_max, _last_moment(block, pool.machine.block_terms)
        for label, moment, count in (("begin", block.starts, nodes), ("end", last, 0)):
            if moment <= now:
                continue
            autoscaling.Schedule(
                f"{name}-{label}",
                autoscaling_group_name=scaling_group,
                scheduled_action_name=f"capacity-block-{label}",
                start_time=moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                min_size=0,
                max_size=nodes,
                desired_capacity=count,
                opts=pulumi.ResourceOptions(parent=self),
            )


def _last_moment(block: CapacityBlock, terms: BlockTerms) -> datetime:
    """From then on a block has no nodes, so that pods end before AWS ends them."""
    return block.ends - terms.end_reserve - BLOCK_DRAIN_TIME


def _scaling_group(resources: Sequence[eks.outputs.NodeGroupResource]) -> str:
    groups = resources[0].autoscaling_groups or ()
    return str(groups[0].name)


def _newest(template: ec2.LaunchTemplate) -> eks.NodeGroupLaunchTemplateArgs:
    return eks.NodeGroupLaunchTemplateArgs(
        id=template.id, version=template.latest_version.apply(str)
    )


def _group_options(
    parent: pulumi.Resource, site: NodeGroupSite, *, scaled_by_others: bool = False
) -> pulumi.ResourceOptions:
    """Of a pool with a range an autoscaler may decide the number of nodes from the first `up` on.

    EKS takes bounds only together with the number, which is the last one that the state has seen.
    """
    return pulumi.ResourceOptions(
        parent=parent,
        depends_on=list(site.needs),
        ignore_changes=["scalingConfig.desiredSize"] if scaled_by_others else None,
    )
