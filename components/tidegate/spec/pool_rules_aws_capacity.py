"""What EC2 would refuse about the way in which a pool's nodes are bought."""

import re

from tidegate.spec.capacity import (
    BLOCK_END_RESERVE,
    BLOCK_LONGEST_DAYS,
    BLOCK_MAX_INSTANCES,
    BLOCK_SHORT_DAYS,
    CapacityBlock,
)
from tidegate.spec.errors import SpecError
from tidegate.spec.pool_facts import Findings, PoolFacts

_RESERVATION_ID = re.compile(r"cr-[0-9a-f]{8,17}")
_RESERVATION_GROUP = re.compile(
    r"arn:aws(-us-gov)?:resource-groups:[a-z0-9-]+:[0-9]{12}:group/[A-Za-z0-9_.-]+"
)
_SECONDS_PER_DAY = 86400


def aws_capacity_findings(facts: PoolFacts) -> Findings:
    yield from _reservation_findings(facts)
    if facts.pool.capacity.kind == "capacityBlock":
        yield from _block_findings(facts, facts.pool.capacity)


def _reservation_findings(facts: PoolFacts) -> Findings:
    capacity = facts.pool.capacity
    if capacity.kind not in ("reservation", "capacityBlock"):
        return
    is_group = _RESERVATION_GROUP.fullmatch(capacity.reservation) is not None
    if is_group and capacity.kind == "capacityBlock":
        yield SpecError(
            "capacity.reservation",
            capacity.reservation,
            "a Capacity Block is one reservation with times of its own, and this is a group",
            "the block's id, such as 'cr-02168da1478b509e0'",
        )
    elif not is_group and not _RESERVATION_ID.fullmatch(capacity.reservation):
        yield SpecError(
            "capacity.reservation",
            capacity.reservation,
            "it is no id of a Capacity Reservation",
            "the id, such as 'cr-02168da1478b509e0', or the ARN of a resource group of them",
        )
    if is_group and facts.pool.elastic:
        yield SpecError(
            "capacity.reservation",
            capacity.reservation,
            "Karpenter chooses reservations by their id, not by a group",
            "the id of one, or elastic: false",
        )
    if capacity.kind == "reservation":
        if len(facts.zones) > 1 and not is_group:
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
