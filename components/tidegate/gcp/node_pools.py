"""Node pools of GKE: one for the cluster's own needs, and one for each group of alike GPU nodes."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import compute, container

from tidegate.gcp.gpu_networks import NodeNetwork
from tidegate.gcp.naming import description_of, name_for
from tidegate.gcp.node_config import (
    NodeSurroundings,
    as_every_node,
    gpu_node_config,
    is_managed,
)
from tidegate.spec.errors import SpecError
from tidegate.spec.node_pool import SystemPool
from tidegate.spec.resolved_pool import POOL_LABEL, GkePlan, ResolvedPool

NODE_POOL_NAME_LIMIT = 40
SYSTEM_MACHINE_TYPE = "e2-standard-8"


@dataclass(frozen=True, kw_only=True)
class SystemNodesArgs:
    """Arguments of `SystemNodes`. `zones` are all of the cluster's, `gke_version` is the plan's."""

    surroundings: NodeSurroundings
    pool: SystemPool
    zones: Sequence[str]
    gke_version: str | None = None


class SystemNodes(pulumi.ComponentResource):
    """Nodes without GPUs, for controllers, gateways and monitoring."""

    def __init__(
        self, name: str, args: SystemNodesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:gcp:SystemNodes", name, None, opts)
        around, pool = args.surroundings, args.pool
        self.resource = container.NodePool(
            name_for(name, limit=NODE_POOL_NAME_LIMIT),
            project=around.project.id,
            cluster=around.cluster,
            location=around.region,
            node_locations=list(args.zones),
            version=args.gke_version,
            autoscaling=container.NodePoolAutoscalingArgs(
                total_min_node_count=pool.nodes.min,
                total_max_node_count=pool.nodes.max,
                location_policy="BALANCED",
            ),
            initial_node_count=pool.nodes.first_by_zone(len(args.zones)),
            management=container.NodePoolManagementArgs(auto_repair=True, auto_upgrade=True),
            upgrade_settings=container.NodePoolUpgradeSettingsArgs(
                strategy="SURGE", max_surge=1, max_unavailable=0
            ),
            network_config=container.NodePoolNetworkConfigArgs(enable_private_nodes=True),
            node_config=as_every_node(
                container.NodePoolNodeConfigArgs(
                    machine_type=pool.machine_type or SYSTEM_MACHINE_TYPE,
                    disk_size_gb=pool.disk_gib,
                    disk_type="pd-balanced",
                    image_type="COS_CONTAINERD",
                    labels={POOL_LABEL: "system"},
                ),
                around,
                secure_boot=True,
            ),
            opts=_options(self),
        )
        self.register_outputs({})


@dataclass(frozen=True, kw_only=True)
class GpuNodesArgs:
    """Arguments of `GpuNodes`. `networks` in the order in which nodes take them.

    Without the plan's `gke_version` nodes keep the one that they were made with.
    """

    surroundings: NodeSurroundings
    pool: ResolvedPool
    networks: Sequence[NodeNetwork] = ()
    gke_version: str | None = None


class GpuNodes(pulumi.ComponentResource):
    """One pool of alike GPU nodes.

    A pool of other nodes is made beside the old one, which goes last. Only nodes of a reservation
    have no room beside the old ones: there the old pool goes first.
    """

    def __init__(
        self, name: str, args: GpuNodesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:gcp:GpuNodes", name, None, opts)
        around, resolved = args.surroundings, args.pool
        plan = gke_plan(resolved)
        limited = resolved.pool.capacity.kind == "reservation"
        self.resource = container.NodePool(
            name_for(name, limit=NODE_POOL_NAME_LIMIT),
            project=around.project.id,
            cluster=around.cluster,
            location=around.region,
            node_locations=list(resolved.zones),
            version=args.gke_version,
            max_pods_per_node=resolved.pool.max_pods,
            management=container.NodePoolManagementArgs(
                auto_repair=plan.auto_repair, auto_upgrade=True
            ),
            upgrade_settings=_upgrade(resolved, plan),
            placement_policy=_placement(self, name, args, plan),
            queued_provisioning=(
                container.NodePoolQueuedProvisioningArgs(enabled=True) if plan.queued else None
            ),
            network_config=_network_config(resolved, args.networks),
            node_config=gpu_node_config(around, resolved, plan),
            node_count=plan.nodes_by_zone,
            autoscaling=_autoscaling(resolved, plan),
            initial_node_count=plan.first_by_zone,
            opts=_options(self, delete_before_replace=limited),
        )
        self.register_outputs({})


def gke_plan(resolved: ResolvedPool) -> GkePlan:
    """Raises SpecError for a pool of another cloud."""
    if resolved.gke is None:
        raise SpecError("cloud", resolved.cloud, "the pool is not Google Cloud's", "gcp")
    return resolved.gke


def _options(
    parent: pulumi.Resource, delete_before_replace: bool = False
) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(
        parent=parent,
        delete_before_replace=True if delete_before_replace else None,
        # Counts of the first moment; from then on the autoscaler's, and a change would replace.
        ignore_changes=["initialNodeCount"],
        custom_timeouts=pulumi.CustomTimeouts(create="60m", update="120m", delete="60m"),
    )


def _network_config(
    resolved: ResolvedPool, networks: Sequence[NodeNetwork]
) -> container.NodePoolNetworkConfigArgs:
    return container.NodePoolNetworkConfigArgs(
        enable_private_nodes=True,
        accelerator_network_profile="auto" if is_managed(resolved) else None,
        additional_node_network_configs=[
            container.NodePoolNetworkConfigAdditionalNodeNetworkConfigArgs(
                network=each.network, subnetwork=each.subnetwork
            )
            for each in networks
        ]
        or None,
    )


def _autoscaling(resolved: ResolvedPool, plan: GkePlan) -> container.NodePoolAutoscalingArgs | None:
    """Bounds over all zones; none for a fixed count."""
    if plan.nodes_by_zone is not None:
        return None
    scarce = resolved.pool.capacity.kind != "onDemand"
    return container.NodePoolAutoscalingArgs(
        total_min_node_count=resolved.pool.nodes_min,
        total_max_node_count=resolved.pool.nodes_max,
        # Where there is room, or as evenly as can be.
        location_policy="ANY" if scarce else "BALANCED",
    )


def _upgrade(resolved: ResolvedPool, plan: GkePlan) -> container.NodePoolUpgradeSettingsArgs:
    upgrade = resolved.pool.upgrade
    if plan.upgrade_strategy == "SURGE":
        return container.NodePoolUpgradeSettingsArgs(
            strategy="SURGE", max_surge=upgrade.max_surge, max_unavailable=upgrade.max_unavailable
        )
    return container.NodePoolUpgradeSettingsArgs(
        strategy="BLUE_GREEN",
        blue_green_settings=container.NodePoolUpgradeSettingsBlueGreenSettingsArgs(
            standard_rollout_policy=container.NodePoolUpgradeSettingsBlueGreenSettingsStandardRolloutPolicyArgs(
                batch_node_count=1, batch_soak_duration="0s"
            ),
            node_pool_soak_duration="3600s",
        ),
    )


def _placement(
    parent: pulumi.Resource, name: str, args: GpuNodesArgs, plan: GkePlan
) -> container.NodePoolPlacementPolicyArgs | None:
    """A policy of the user's, one for an NVLink domain, or GKE's own for compact placement."""
    if plan.placement_type is None:
        return None
    around, placement = args.surroundings, args.pool.pool.placement
    policy: pulumi.Input[str] | None = placement.policy_name
    if policy is None and placement.topology is not None:
        policy = compute.ResourcePolicy(
            name_for(name),
            project=around.project.id,
            region=around.region,
            description=description_of(around.labels),
            workload_policy=compute.ResourcePolicyWorkloadPolicyArgs(
                type="HIGH_THROUGHPUT", accelerator_topology=placement.topology
            ),
            opts=pulumi.ResourceOptions(parent=parent),
        ).name
    return container.NodePoolPlacementPolicyArgs(type=plan.placement_type, policy_name=policy)
