"""What an `up` made that was killed before the engine wrote it down: nobody else removes it."""

from collections.abc import Set

from tidegate.provider.kubernetes.access import ClusterAccess
from tidegate.provider.kubernetes.gate_runs import GateRuns
from tidegate.provider.kubernetes.slot_parts import remove_slot, revisions_with_a_slot
from tidegate.records.gates import GateRecords


async def find_strays(access: ClusterAccess, service: str, known: Set[str]) -> list[str]:
    """Revisions of the service with a slot or a gate, that no route mentions.

    `known` are those that the stack declares or has recorded. Raises ClusterError.
    """
    cluster = access.cluster()
    gates = {each.revision for each in await GateRecords(cluster).all(service)}
    unknown = (await revisions_with_a_slot(cluster, service) | gates) - known
    if not unknown:
        return []
    routed = await access.routes().all()
    return sorted(
        revision for revision in unknown if not any(each.mentions(revision) for each in routed)
    )


async def remove_strays(access: ClusterAccess, service: str, known: Set[str]) -> list[str]:
    """Remove what `find_strays` names; returns the revisions. Raises ClusterError."""
    cluster = access.cluster()
    strays = await find_strays(access, service, known)
    for revision in strays:
        await GateRuns(cluster, access.configuration).remove(revision)
        await remove_slot(cluster, service, revision)
    return strays


async def remove_gates(access: ClusterAccess, service: str) -> None:
    """Remove what is recorded of the service's gates, when the service goes.

    A gate that has refused is in no stack's state, so nobody else does. Raises ClusterError.
    """
    cluster = access.cluster()
    for each in await GateRecords(cluster).all(service):
        await GateRuns(cluster, access.configuration).remove(each.revision)
