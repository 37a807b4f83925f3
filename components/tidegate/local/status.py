"""What a stack of the embedded platform is doing, asked of the running parts."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tidegate.local.gate_runs import GateRuns
from tidegate.local.slot_record import SlotRecord
from tidegate.local.stack import LocalStack
from tidegate.local.switch_runs import SwitchRun
from tidegate.traffic.envoy.admin import EnvoyAdmin
from tidegate.traffic.envoy.clusters import cluster_names
from tidegate.traffic.router import RouterError
from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.switch_documents import Override

RATE_WINDOW_SECONDS = 1.0

Role = Literal["live", "standby", "not routed"]


@dataclass(frozen=True)
class RevisionStatus:
    """One slot.

    `requests_per_second` is what the gateway sent to it in the last second. `gate` is the last
    verdict in a word, "ungated" or "running"; `verdict` says it in a sentence.
    """

    service: str
    revision: str
    release: str
    role: Role
    weight: int
    healthy: bool
    requests_per_second: float
    gate: str
    verdict: str


@dataclass(frozen=True)
class SwitchStatus:
    """What of a service's traffic is not settled: a switch under way, a move past the stack."""

    service: str
    under_way: str | None
    override: Override | None


@dataclass(frozen=True)
class StackStatus:
    """A whole stack. `gateway` is None when the stack has none."""

    gateway: str | None
    gateway_serving: bool
    revisions: Sequence[RevisionStatus]
    switches: Sequence[SwitchStatus]


async def stack_status(stack: LocalStack) -> StackStatus:
    """Ask Envoy, supervisor and the gates' records. Takes a second, to measure rates."""
    record = stack.gateway.record()
    serving = await stack.gateway.is_serving()
    slots = stack.slots.records()
    healthy, rates = await _observe(stack.gateway.admin(), slots) if serving else (set(), {})
    routes = {each.service: each for each in stack.gateway.discovery.services()}
    gates = {slot.revision: _gate(stack.gates, slot.revision) for slot in slots}
    revisions = [
        RevisionStatus(
            service=slot.service,
            revision=slot.revision,
            release=slot.release,
            role=_role(routes.get(slot.service), slot.revision),
            weight=_weight(routes.get(slot.service), slot.revision),
            healthy=set(cluster_names(slot.revision)) <= healthy,
            requests_per_second=rates.get(slot.revision, 0.0),
            gate=gates[slot.revision][0],
            verdict=gates[slot.revision][1],
        )
        for slot in slots
    ]
    return StackStatus(
        gateway=f"http://{record.address}" if record is not None else None,
        gateway_serving=serving,
        revisions=sorted(revisions, key=lambda each: (each.service, -each.weight, each.revision)),
        switches=_unsettled(stack),
    )


def _unsettled(stack: LocalStack) -> list[SwitchStatus]:
    found = []
    for folder in stack.switches.folders():
        run = stack.switches.unfinished(folder.service)
        override = folder.override()
        if run is not None or override is not None:
            found.append(SwitchStatus(folder.service, _under_way(run), override))
    return found


def _under_way(run: SwitchRun | None) -> str | None:
    if run is None:
        return None
    progress = run.progress
    words = f"run {run.request.run} to {run.request.to_revision}"
    return f"{words}: {progress.message}" if progress is not None else f"{words} begins"


async def _observe(
    admin: EnvoyAdmin, slots: Sequence[SlotRecord]
) -> tuple[set[str], dict[str, float]]:
    try:
        before = await _totals(admin, slots)
        await asyncio.sleep(RATE_WINDOW_SECONDS)
        after = await _totals(admin, slots)
        healthy = await admin.healthy_clusters()
    except RouterError:
        return set(), {}
    rates = {
        revision: (after[revision] - before[revision]) / RATE_WINDOW_SECONDS for revision in after
    }
    return healthy, rates


async def _totals(admin: EnvoyAdmin, slots: Sequence[SlotRecord]) -> dict[str, int]:
    return {each.revision: await admin.completed_requests(each.revision) for each in slots}


def _role(routes: ServiceRoutes | None, revision: str) -> Role:
    if routes is None or not routes.references(revision):
        return "not routed"
    return "live" if routes.weights[revision] > 0 else "standby"


def _weight(routes: ServiceRoutes | None, revision: str) -> int:
    return routes.weights.get(revision, 0) if routes is not None else 0


def _gate(gates: GateRuns, revision: str) -> tuple[str, str]:
    """The gate in a word, and its last verdict in a sentence."""
    if gates.is_running(revision):
        return "running", "its gate is running"
    run = gates.latest(revision)
    verdict = run.verdict if run is not None else None
    if verdict is None:
        return "ungated", "never judged here; it cannot take traffic before its gate has passed"
    return verdict.outcome.value, f"{verdict.summary} (judged {verdict.ended_at or 'here'})"
