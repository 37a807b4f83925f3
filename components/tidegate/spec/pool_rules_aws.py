"""What EC2 and EKS would refuse about a pool, or accept and never carry out."""

import re

from tidegate.spec.capacity import (
    BLOCK_END_RESERVE,
    BLOCK_LONGEST_DAYS,
    BLOCK_MAX_INSTANCES,
    BLOCK_SHORT_DAYS,
    CapacityBlock,
)
from tidegate.spec.errors import SpecError
from tidegate.spec.fabric import efa_layout, no_such_layout
from tidegate.spec.node_settings import AWS_BOOT_DISKS
from tidegate.spec.pool_facts import Findings, PoolFacts, version_numbers

_RESERVATION_ID = re.compile(r"cr-[0-9a-f]{8,17}")
_SECONDS_PER_DAY = 86400
KEY_LENGTH = 63
"""Of labels' and taints' keys, prefix included (EKS API, labelKey and taintKey)."""
_DRA_FROM = (1, 34)


def aws_findings(facts: PoolFacts) -> Findings:
    yield from _fabric_findings(facts)
    yield from _reservation_findings(facts)
    if facts.pool.capacity.kind == "capacityBlock":
        yield from _block_findings(facts, facts.pool.capacity)
    yield from _node_findings(facts)
    yield from _key_findings(facts)
    yield from _elastic_findings(facts)


def _fabric_findings(facts: PoolFacts) -> Findings:
    fabric, machine = facts.pool.fabric, facts.machine
    if fabric.kind == "gpuDirect":
        yield SpecError("fabric.kind", "gpuDirect", "it is Google Cloud's", "efa, or none")
    if fabric.kind == "efa" and efa_layout(machine, fabric.interfaces) is None:
        yield no_such_layout(machine, fabric.interfaces)
    if fabric.mode == "managed":
        yield SpecError(
            "fabric.mode", "managed", "only GKE attaches networks itself", "leave it out on AWS"
        )
    if fabric.exposure == "dra" and version_numbers(facts.kubernetes_version)[:2] < _DRA_FROM:
        yield SpecError(
            "fabric.exposure",
            "dra",
            f"its driver needs Kubernetes 1.34 and the cluster has {facts.kubernetes_version}",
            "exposure: devicePlugin, or a newer kubernetesVersion",
        )


def _reservation_findings(facts: PoolFacts) -> Findings:
    capacity = facts.pool.capacity
    if capacity.kind not in ("reservation", "capacityBlock"):
        return
    if not _RESERVATION_ID.fullmatch(capacity.reservation):
        yield SpecError(
            "capacity.reservation",
            capacity.reservation,
            "it is no id of a Capacity Reservation",
            "the id, such as 'cr-02168da1478b509e0'",
        )
    if capacity.kind == "reservation":
        if len(facts.zones) > 1:
            yield SpecError(
                "zones",
                ", ".join(facts.zones),
                "a Capacity Reservation is in one zone and nodes in the others could not start",
                "zones: [<the reservation's>]",
            )
        for name in ("project", "block"):
            value = getattr(capacity, name)
            if value is not None:
                yield SpecError(
                    f"capacity.{name}", value, "only Google Cloud has it", "leave it out on AWS"
                )


def _block_findings(facts: PoolFacts, block: CapacityBlock) -> Findings:
    pool = facts.pool
    if pool.zones and pool.zones != (block.zone,):
        yield SpecError(
            "zones",
            ", ".join(pool.zones),
            f"the Capacity Block is in {block.zone} and nodes in another zone cannot use it",
            f"zones: [{block.zone}], or leave zones out",
        )
    if block.zone not in facts.cluster_zones:
        yield SpecError(
            "capacity.zone",
            block.zone,
            "the cluster has no subnet in the Capacity Block's zone",
            f"a block in one of {', '.join(facts.cluster_zones)}, or add the zone to the cluster",
        )
    if pool.placement.compact:
        yield SpecError(
            "placement.compact",
            True,
            "a Capacity Block is placed close together already and takes no placement group",
            "placement.compact: false",
        )
    if pool.nodes_max > BLOCK_MAX_INSTANCES:
        yield SpecError(
            "nodes",
            pool.nodes_max,
            f"a Capacity Block has at most {BLOCK_MAX_INSTANCES} instances",
            f"at most {BLOCK_MAX_INSTANCES}, and a further pool for a further block",
        )
    yield from _block_time_findings(facts, block)


def _block_time_findings(facts: PoolFacts, block: CapacityBlock) -> Findings:
    if block.ends <= block.starts:
        yield SpecError(
            "capacity.ends", block.ends.isoformat(), "it is not after the start", "a later time"
        )
        return
    days = (block.ends - block.starts).total_seconds() / _SECONDS_PER_DAY
    # A block ends at a fixed hour, so that its first day may be a part of one.
    whole = int(days) if days == int(days) else int(days) + 1
    long = whole > BLOCK_SHORT_DAYS
    if whole > BLOCK_LONGEST_DAYS or (long and whole % 7):
        yield SpecError(
            "capacity.ends",
            block.ends.isoformat(),
            f"Capacity Blocks last 1 to {BLOCK_SHORT_DAYS} days or whole weeks up to "
            f"{BLOCK_LONGEST_DAYS} days, and this one {whole} days",
            f"the times of the block as it was bought, or {max(1, whole // 7)} weeks",
        )
    if facts.now >= block.ends - BLOCK_END_RESERVE:
        yield SpecError(
            "capacity.ends",
            block.ends.isoformat(),
            f"the block's instances are ended from {BLOCK_END_RESERVE.seconds // 60} minutes "
            f"before, and it is {facts.now.isoformat()}",
            "another Capacity Block, or remove the pool",
        )
    elif facts.now < block.starts and facts.pool.nodes_min > 0:
        yield SpecError(
            "nodes",
            facts.pool.nodes_min,
            f"the Capacity Block starts at {block.starts.isoformat()} and the node group would "
            "fail until then",
            f"nodes: {{min: 0, max: {facts.pool.nodes_max}}} until it has started",
        )


def _node_findings(facts: PoolFacts) -> Findings:
    pool, machine = facts.pool, facts.machine
    if pool.image.family in ("cos", "ubuntu"):
        yield SpecError(
            "image.family", pool.image.family, "EKS has no such AMI type", "al2023 or bottlerocket"
        )
    if pool.disks.boot_type is not None and pool.disks.boot_type not in AWS_BOOT_DISKS:
        yield SpecError(
            "disks.bootType",
            pool.disks.boot_type,
            "nodes of EKS do not boot from it here",
            f"one of {', '.join(AWS_BOOT_DISKS)}",
        )
    local = pool.disks.local
    if local in ("ephemeral", "block"):
        yield SpecError("disks.local", local, "it is Google Cloud's", "raid0, or none")
    if local == "raid0" and not machine.has_local_disks:
        yield SpecError(
            "disks.local",
            local,
            f"no source shows local disks of {machine.name}",
            "local: none, or a machineType with instance store disks",
        )
    if pool.upgrade.strategy == "blueGreen":
        yield SpecError(
            "upgrade.strategy",
            "blueGreen",
            "node groups of EKS are replaced node by node",
            "strategy: surge; for blue-green add a second pool and remove the first one",
        )
    if pool.upgrade.max_surge:
        yield SpecError(
            "upgrade.maxSurge",
            pool.upgrade.max_surge,
            "EKS decides itself how many nodes more it starts",
            "maxSurge: 0, and maxUnavailable for the nodes replaced at once",
        )
    for name in ("topology", "policy_name"):
        value = getattr(pool.placement, name)
        if value is not None:
            field = "topology" if name == "topology" else "policyName"
            yield SpecError(
                f"placement.{field}", value, "only Google Cloud has it", "placement.compact: true"
            )


def _key_findings(facts: PoolFacts) -> Findings:
    for place, keys in (
        ("labels", facts.pool.labels),
        ("taints", [taint.key for taint in facts.pool.taints]),
    ):
        for key in keys:
            if len(key) > KEY_LENGTH:
                yield SpecError(
                    place,
                    key,
                    f"EKS takes keys of at most {KEY_LENGTH} characters, prefix included",
                    "a shorter key",
                )


def _elastic_findings(facts: PoolFacts) -> Findings:
    pool = facts.pool
    if not pool.elastic:
        return
    if pool.is_static:
        yield SpecError(
            "nodes",
            pool.nodes_max,
            "Karpenter adds and removes nodes, and a fixed count leaves it nothing to do",
            f"nodes: {{min: 0, max: {pool.nodes_max}}}, or elastic: false",
        )
    elif pool.nodes_min > 0:
        yield SpecError(
            "nodes",
            pool.nodes_min,
            "Karpenter keeps no lowest number of nodes",
            f"nodes: {{min: 0, max: {pool.nodes_max}}}, or elastic: false",
        )
    if pool.fabric.kind == "efa":
        yield SpecError(
            "elastic",
            True,
            "Karpenter lays EFA interfaces out its own way, which is wrong for some types",
            "elastic: false for pools on the fabric",
        )
    if pool.capacity.kind == "capacityBlock":
        yield SpecError(
            "elastic",
            True,
            "the life of a Capacity Block is followed by a node group",
            "elastic: false",
        )
