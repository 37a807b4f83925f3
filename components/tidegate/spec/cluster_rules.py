"""Everything that is wrong with the plan of a cluster, found before anything is paid for."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from tidegate.spec.access_rules import access_findings
from tidegate.spec.catalogue import machine_types
from tidegate.spec.cluster_plan import ClusterPlan
from tidegate.spec.errors import SpecError
from tidegate.spec.fabric_networks import (
    FabricNetworks,
    fabric_network_findings,
    fabric_networks,
)
from tidegate.spec.name_rules_aws import node_group_findings, role_findings
from tidegate.spec.network_rules import PoolAddresses, network_findings
from tidegate.spec.node_pool import NodePool
from tidegate.spec.pool_facts import Findings, PoolFacts
from tidegate.spec.pool_rules import pool_findings
from tidegate.spec.pool_rules_gke_nodes import range_findings
from tidegate.spec.refusals import refuse, within
from tidegate.spec.resolved_pool import ResolvedPool, resolve_pool
from tidegate.spec.storage_rules import storage_findings

SYSTEM_PODS = 110
"""Pods of a node without GPUs."""

_EKS_ZONES = 2


@dataclass(frozen=True)
class _Pools:
    """Those whose machine type is known, and the findings about the others."""

    facts: tuple[PoolFacts, ...]
    unknown: tuple[SpecError, ...]


def check_cluster(plan: ClusterPlan, now: datetime) -> tuple[ResolvedPool, ...]:
    """The pools with everything decided. Raises SpecError that names every finding.

    `now`, with a time zone, decides which reservations have ended.
    """
    pools = _pools(plan, now)
    refuse(_findings(plan, pools))
    return tuple(resolve_pool(facts, plan.project) for facts in pools.facts)


def cluster_errors(plan: ClusterPlan, now: datetime) -> tuple[SpecError, ...]:
    """Every finding; empty for a plan that `check_cluster` takes."""
    return tuple(_findings(plan, _pools(plan, now)))


def cluster_fabric(plan: ClusterPlan, now: datetime) -> tuple[FabricNetworks, ...]:
    """The networks between GPUs that a plan without findings declares on Google Cloud."""
    return fabric_networks(plan.network, _pools(plan, now).facts)


def _pools(plan: ClusterPlan, now: datetime) -> _Pools:
    facts: list[PoolFacts] = []
    unknown: list[SpecError] = []
    for pool in plan.pools:
        try:
            machine = pool.machine(plan.cloud)
        except SpecError as error:
            unknown.extend(within(f"pools.{pool.name}", [error]))
            continue
        facts.append(
            PoolFacts(
                pool=pool,
                machine=machine,
                cloud=plan.cloud,
                cluster_zones=plan.zones,
                kubernetes_version=plan.kubernetes_version,
                gke_version=plan.gke_version,
                now=now,
            )
        )
    return _Pools(tuple(facts), tuple(unknown))


def _findings(plan: ClusterPlan, pools: _Pools) -> Findings:
    yield from _place_findings(plan)
    yield from access_findings(plan)
    yield from _system_findings(plan)
    yield from pools.unknown
    for facts in pools.facts:
        yield from within(f"pools.{facts.pool.name}", pool_findings(facts))
    yield from _together_findings(plan)
    if plan.cloud == "aws":
        yield from node_group_findings(plan)
        yield from role_findings(plan)
    addresses = (_system_addresses(plan), *(_addresses(facts) for facts in pools.facts))
    yield from network_findings(
        plan.network, plan.cloud, plan.zones, plan.control_plane_zones, addresses
    )
    if plan.cloud == "gcp":
        yield from fabric_network_findings(plan.network, pools.facts)
    yield from storage_findings(plan.storage, plan.cloud, plan.zones, pools.facts)


def _place_findings(plan: ClusterPlan) -> Findings:
    if plan.cloud == "gcp" and plan.region.count("-") != 1:
        yield SpecError("region", plan.region, "it is no region of Google Cloud", "us-central1")
    if plan.cloud == "aws" and plan.region.count("-") < 2:
        yield SpecError("region", plan.region, "it is no region of AWS", "such as us-east-2")
    if plan.cloud == "aws" and plan.region.startswith("cn-"):
        yield SpecError(
            "region",
            plan.region,
            "services of AWS have other names in China, and none of them is made here",
            "a region of AWS elsewhere, GovCloud included",
        )
    between = "-" if plan.cloud == "gcp" else ""
    for zone in plan.zones:
        rest = zone.removeprefix(plan.region + between)
        if rest == zone or not rest:
            yield SpecError(
                "zones",
                zone,
                f"it is not in {plan.region}",
                f"a zone such as {plan.region}{between}a",
            )
    for zone, count in Counter(plan.zones).items():
        if count > 1:
            yield SpecError("zones", zone, "it is named twice", "each zone once")
    if plan.cloud == "aws" and len(set(plan.control_plane_zones)) < _EKS_ZONES:
        yield SpecError(
            "zones",
            ", ".join(plan.zones),
            "the control plane of EKS is in two zones at least, and in no Local Zone",
            "three zones of the region; pools may still have one each",
        )
    if plan.cloud == "aws" and plan.gke_version is not None:
        yield SpecError("gkeVersion", plan.gke_version, "it is Google Cloud's", "kubernetesVersion")
    if plan.cloud == "aws" and plan.project is not None:
        yield SpecError("project", plan.project, "it is Google Cloud's", "leave it out on AWS")
    if plan.cloud == "gcp" and plan.project is None:
        yield SpecError("project", None, "Google Cloud wants one", "the id of the project")
    if plan.gke_version is not None and not plan.gke_version.startswith(
        plan.kubernetes_version + "."
    ):
        yield SpecError(
            "gkeVersion",
            plan.gke_version,
            f"it is not of Kubernetes {plan.kubernetes_version}",
            f"a version that begins with {plan.kubernetes_version}., or another kubernetesVersion",
        )


def _system_findings(plan: ClusterPlan) -> Findings:
    name = plan.system.machine_type
    if name is not None and any(name == each.name for each in machine_types(plan.cloud)):
        yield SpecError(
            "system.machineType",
            name,
            "it has GPUs, and what every cluster runs would occupy them",
            "a type without GPUs, such as m7i.xlarge or e2-standard-4",
        )
    if plan.system.nodes.min == 0:
        yield SpecError(
            "system.nodes.min",
            0,
            "without these nodes no controller runs that could add others",
            "min: 2 or more",
        )
    if plan.cloud == "gcp":
        yield from range_findings("system.nodes.max", plan.system.nodes, len(plan.zones))


def _together_findings(plan: ClusterPlan) -> Findings:
    for name, count in Counter(pool.name for pool in plan.pools).items():
        if count > 1:
            yield SpecError("pools", name, f"{count} pools have this name", "a name for each")
    serving = [pool for pool in plan.pools if pool.purpose == "inference"]
    if serving and all(pool.capacity.kind == "spot" for pool in serving):
        names = ", ".join(pool.name for pool in serving)
        yield SpecError(
            "pools",
            names,
            "all nodes for inference are spot, and the cloud may take them back all at once",
            "one pool for inference with onDemand or reservation, and spot for the rest",
        )
    yield from _reservation_findings(plan.pools)


def _reservation_findings(pools: tuple[NodePool, ...]) -> Findings:
    by_reservation: dict[str, list[NodePool]] = {}
    for pool in pools:
        if pool.capacity.kind in ("reservation", "capacityBlock"):
            by_reservation.setdefault(pool.capacity.reservation, []).append(pool)
    for reservation, users in by_reservation.items():
        if len({pool.purpose for pool in users}) > 1:
            names = ", ".join(pool.name for pool in users)
            yield SpecError(
                "pools",
                names,
                f"training and inference both take their nodes from {reservation}, so training "
                "could leave none for inference",
                "a reservation for each purpose",
            )


def _system_addresses(plan: ClusterPlan) -> PoolAddresses:
    """They are spread over the zones of the region; a plan without any is refused already."""
    nodes, zones = plan.system.nodes.max, plan.control_plane_zones or plan.zones
    by_zone = -(-nodes // len(zones))
    return PoolAddresses(dict.fromkeys(zones, by_zone), nodes, SYSTEM_PODS)


def _addresses(facts: PoolFacts) -> PoolAddresses:
    """A pool over several zones may have all of its nodes in one, when the others have no room."""
    pool = facts.pool
    return PoolAddresses(dict.fromkeys(facts.zones, pool.nodes_max), pool.nodes_max, pool.max_pods)
