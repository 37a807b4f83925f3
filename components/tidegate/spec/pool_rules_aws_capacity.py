"""What EC2 would refuse about the way in which a pool's nodes are bought."""

import re

from tidegate.spec.capacity import (
    BLOCK_LONGEST_DAYS,
    BLOCK_SHORT_DAYS,
    BLOCKS_MAX_INSTANCES,
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
    is_group = _is_group(capacity.reservation)
    if not is_group and not _RESERVATION_ID.fullmatch(capacity.reservation):
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
        if facts.pool.placement.compact:
            # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/cr-cpg.html
            yield SpecError(
                "placement.compact",
                True,
                "the pool would get a placement group of its own, which the reservation is not "
                "in: nodes could fail to start there while it has room",
                "placement.compact: false, with a reservation that was made in a placement group",
            )
        for name in ("project", "block"):
            value = getattr(capacity, name)
            if value is not None:
                yield SpecError(
                    f"capacity.{name}", value, "only Google Cloud has it", "leave it out on AWS"
                )


def _is_group(reservation: str) -> bool:
    return _RESERVATION_GROUP.fullmatch(reservation) is not None


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
    yield from _block_size_findings(facts, block)
    yield from _block_time_findings(facts, block)


def _block_size_findings(facts: PoolFacts, block: CapacityBlock) -> Findings:
    nodes, one = facts.pool.nodes_max, facts.machine.block_terms.max_instances
    if _is_group(block.reservation):
        if nodes > BLOCKS_MAX_INSTANCES:
            yield SpecError(
                "nodes",
                nodes,
                "all Capacity Blocks of an organization together have at most "
                f"{BLOCKS_MAX_INSTANCES} instances",
                f"at most {BLOCKS_MAX_INSTANCES}",
            )
    elif nodes > one:
        yield SpecError(
            "nodes",
            nodes,
            f"a Capacity Block of {facts.machine.name} has at most {one} instances",
            f"at most {one}, a further pool for a further block, or as capacity.reservation the "
            "ARN of a resource group of several blocks",
        )


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
    terms = facts.machine.block_terms
    if facts.now >= block.ends - terms.end_reserve:
        yield SpecError(
            "capacity.ends",
            block.ends.isoformat(),
            f"the block's instances are ended from {terms.end_reserve_minutes} minutes before, "
            f"and it is {facts.now.isoformat()}",
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
