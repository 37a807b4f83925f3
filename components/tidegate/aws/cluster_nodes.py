"""Everything that nodes need and what needs nodes: identity, add-ons, node groups, Karpenter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pulumi
import pulumi_kubernetes

from tidegate.aws.addons import BEFORE_NODES, Addons, AddonsArgs
from tidegate.aws.cluster import Cluster
from tidegate.aws.fabric_security import FabricSecurity
from tidegate.aws.identity import NodeIdentity, NodeIdentityArgs
from tidegate.aws.karpenter import Karpenter, KarpenterArgs
from tidegate.aws.network import Network
from tidegate.aws.node_pools import (
    NodeGroupSite,
    NodePool,
    NodePoolArgs,
    SystemNodes,
    SystemNodesArgs,
)
from tidegate.spec.cluster_plan import ClusterPlan
from tidegate.spec.resolved_pool import ResolvedPool
from tidegate.spec.storage_tiers import FsxLustre, StorageTiers


@dataclass(frozen=True, kw_only=True)
class ClusterNodes:
    """What the nodes of a cluster are made from; its resources become children of `parent`.

    `fabric` is there when a pool has EFA. `addon_needs`: what add-ons on nodes cannot start
    without. `now` decides which capacity has begun.
    """

    name: str
    parent: pulumi.Resource
    plan: ClusterPlan
    pools: Sequence[ResolvedPool]
    cluster: Cluster
    network: Network
    fabric: FabricSecurity | None
    versions: Mapping[str, str]
    addon_needs: Sequence[pulumi.Resource]
    kubernetes_provider: pulumi_kubernetes.Provider
    tags: Mapping[str, str]
    now: datetime

    def declare(self) -> list[pulumi.Resource]:
        """Declare them; returns what must be there before anything runs in the cluster."""
        own = pulumi.ResourceOptions(parent=self.parent)
        identity = NodeIdentity(
            f"{self.name}-nodes", NodeIdentityArgs(region=self.plan.region, tags=self.tags), own
        )
        first = self._addons("first", BEFORE_NODES, ())
        site = NodeGroupSite(
            cluster=self.cluster.name,
            role_arn=identity.arn,
            subnets=self.network.private_subnets,
            cluster_group=self.cluster.security_group,
            tags=self.tags,
            # A node that starts before its way out is there never joins.
            needs=[self.network, *identity.ready, *first.made],
        )
        regional = replace(site, subnets=self.network.regional_subnets)
        system = SystemNodes(
            f"{self.name}-system", SystemNodesArgs(site=regional, pool=self.plan.system), own
        )
        needs = [system.group, *self.addon_needs]
        rest = self._addons("rest", later_addons(self.plan.storage), needs)
        for pool in self.pools:
            self._node_group(pool, site)
        ready: list[pulumi.Resource] = [system.group, *rest.made]
        self._karpenter(identity, ready)
        return ready

    def _node_group(self, pool: ResolvedPool, site: NodeGroupSite) -> None:
        if pool.eks is None or pool.pool.elastic:
            return
        has_efa = self.fabric is not None and pool.pool.fabric.kind == "efa"
        NodePool(
            f"{self.name}-{pool.name}",
            NodePoolArgs(
                site=site,
                pool=pool,
                plan=pool.eks,
                fabric_group=self.fabric.group_id if self.fabric and has_efa else None,
                now=self.now,
            ),
            pulumi.ResourceOptions(parent=self.parent),
        )

    def _addons(self, label: str, names: Sequence[str], needs: Sequence[pulumi.Resource]) -> Addons:
        return Addons(
            f"{self.name}-{label}",
            AddonsArgs(
                cluster=self.cluster.name,
                region=self.plan.region,
                names=names,
                versions=self.versions,
                tags=self.tags,
                needs=needs,
            ),
            pulumi.ResourceOptions(parent=self.parent),
        )

    def _karpenter(self, identity: NodeIdentity, needs: Sequence[pulumi.Resource]) -> None:
        elastic = [each for each in self.pools if each.pool.elastic]
        if not elastic:
            return
        Karpenter(
            f"{self.name}-karpenter",
            KarpenterArgs(
                cluster=self.cluster.name,
                cluster_arn=self.cluster.resource.arn,
                discovery=self.plan.name,
                region=self.plan.region,
                node_role_name=identity.role_name,
                node_role_arn=identity.arn,
                node_group=self.cluster.security_group,
                pools=elastic,
                tags=self.tags,
                needs=needs,
            ),
            pulumi.ResourceOptions(parent=self.parent, providers=[self.kubernetes_provider]),
        )


def later_addons(tiers: StorageTiers) -> list[str]:
    """Add-ons that run on nodes: DNS, health, and the drivers of the tiers that there are."""
    names = ["coredns", "eks-node-monitoring-agent", "aws-ebs-csi-driver"]
    if tiers.warm is not None:
        names.append("aws-efs-csi-driver")
    if isinstance(tiers.hot, FsxLustre):
        names.append("aws-fsx-csi-driver")
    if tiers.cold is not None:
        names.append("aws-mountpoint-s3-csi-driver")
    return names
