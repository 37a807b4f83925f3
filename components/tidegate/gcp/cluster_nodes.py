"""Everything that nodes need and what needs nodes: the GPUs' networks, node pools, installers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pulumi
import pulumi_kubernetes

from tidegate.gcp.gpu_direct import installers, network_objects
from tidegate.gcp.gpu_networks import GpuNetworks, GpuNetworksArgs, NodeNetwork, short_name
from tidegate.gcp.node_config import NodeSurroundings
from tidegate.gcp.node_pools import GpuNodes, GpuNodesArgs, SystemNodes, SystemNodesArgs
from tidegate.kubernetes.objects import KubernetesObject
from tidegate.spec.cluster_plan import ClusterPlan
from tidegate.spec.cluster_rules import cluster_fabric
from tidegate.spec.resolved_pool import ResolvedPool


@dataclass(frozen=True, kw_only=True)
class ClusterNodes:
    """What the nodes of a cluster are made from; its resources become children of `parent`.

    `now` is the time for which the plan was checked.
    """

    name: str
    parent: pulumi.Resource
    plan: ClusterPlan
    pools: Sequence[ResolvedPool]
    surroundings: NodeSurroundings
    kubernetes_provider: pulumi_kubernetes.Provider
    now: datetime

    def declare(self) -> list[pulumi.Resource]:
        """Declare them; returns what must be there before anything runs in the cluster."""
        system = SystemNodes(
            f"{self.name}-system",
            SystemNodesArgs(
                surroundings=self.surroundings,
                pool=self.plan.system,
                zones=self.plan.zones,
                gke_version=self.plan.gke_version,
            ),
            self._own,
        )
        networks = self._gpu_networks()
        self._gpu_nodes(networks)
        self._objects([each for group in networks.values() for each in group], system)
        return [system]

    @property
    def _own(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self.parent)

    def _gpu_networks(self) -> dict[tuple[str, ...], tuple[NodeNetwork, ...]]:
        """By the names of the pools that share them."""
        around = self.surroundings
        return {
            each.pools: GpuNetworks(
                f"{self.name}-{short_name(each)}",
                GpuNetworksArgs(
                    project=around.project,
                    region=around.region,
                    plan=each,
                    labels=around.labels,
                ),
                self._own,
            ).networks
            for each in cluster_fabric(self.plan, self.now)
        }

    def _gpu_nodes(self, groups: dict[tuple[str, ...], tuple[NodeNetwork, ...]]) -> None:
        networks = {pool: group for pools, group in groups.items() for pool in pools}
        for resolved in self.pools:
            GpuNodes(
                f"{self.name}-{resolved.name}",
                GpuNodesArgs(
                    surroundings=self.surroundings,
                    pool=resolved,
                    networks=networks.get(resolved.name, ()),
                    gke_version=self.plan.gke_version,
                ),
                self._own,
            )

    def _objects(self, networks: Sequence[NodeNetwork], system: SystemNodes) -> None:
        """What GPUs need inside the cluster."""
        labels = self.surroundings.labels
        named = [content for each in networks for content in network_objects(each, labels)]
        for content in [*named, *installers(self.pools, labels)]:
            KubernetesObject(
                f"{self.name}-{content['kind'].lower()}-{content['metadata']['name']}",
                content,
                pulumi.ResourceOptions(
                    parent=self.parent, provider=self.kubernetes_provider, depends_on=[system]
                ),
            )
