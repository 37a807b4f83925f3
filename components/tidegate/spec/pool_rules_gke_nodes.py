"""What GKE would refuse about a pool's nodes: their image, their disks, and how many they are."""

from tidegate.spec.errors import SpecError
from tidegate.spec.node_pool import NodeRange
from tidegate.spec.pool_facts import Findings, PoolFacts


def node_findings(facts: PoolFacts) -> Findings:
    pool, machine = facts.pool, facts.machine
    if pool.elastic:
        yield SpecError(
            "elastic",
            True,
            "GKE's own autoscaler follows nodes: {min, max}",
            "leave it out on Google Cloud",
        )
    if pool.image.family in ("al2023", "bottlerocket"):
        yield SpecError("image.family", pool.image.family, "GKE has no such image", "cos or ubuntu")
    boot = pool.disks.boot_type
    if boot is not None and boot not in machine.boot_disks:
        yield SpecError(
            "disks.bootType",
            boot,
            f"{machine.name} does not boot from it",
            f"one of {', '.join(machine.boot_disks)}",
        )
    local = pool.disks.local
    if local == "raid0":
        yield SpecError("disks.local", local, "it is AWS's", "ephemeral, block or none")
    if local in ("ephemeral", "block") and not machine.has_local_disks:
        yield SpecError(
            "disks.local",
            local,
            f"no source shows local disks that come with {machine.name}",
            "local: none, or a machineType with local SSDs",
        )
    yield from _count_findings(facts)


def _count_findings(facts: PoolFacts) -> Findings:
    nodes, zones = facts.pool.nodes, len(facts.zones)
    if isinstance(nodes, NodeRange):
        yield from range_findings("nodes.max", nodes, zones)
    elif nodes % zones:
        yield SpecError(
            "nodes",
            nodes,
            f"GKE counts nodes by zone, and they cannot be spread evenly over {zones} zones",
            f"a multiple of {zones}, or fewer zones",
        )


def range_findings(field: str, nodes: NodeRange, zones: int) -> Findings:
    """`field` is that of the range's max."""
    first = nodes.first_by_zone(zones) * zones
    if first > nodes.max:
        yield SpecError(
            field,
            nodes.max,
            f"GKE starts a pool with as many nodes in each of its {zones} zones, {first} for a min "
            f"of {nodes.min}: with fewer its autoscaler would not fill it up",
            f"max: {first}, or fewer zones",
        )
