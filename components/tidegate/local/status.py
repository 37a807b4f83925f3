"""What a stack of the embedded platform is doing, asked of the running parts."""

import asyncio
from collections.abc import Sequence

from tidegate.local.gate_runs import GateRuns
from tidegate.local.slot_record import SlotRecord
from tidegate.local.stack import LocalStack
from tidegate.local.switch_runs import SwitchRun
from tidegate.traffic.envoy.admin import EnvoyAdmin
from tidegate.traffic.envoy.clusters import cluster_names
from tidegate.traffic.router import RouterError
from tidegate.traffic.stack_status import (
    RevisionStatus,
    StackStatus,
    SwitchStatus,
    in_order,
    role_of,
    weight_of,
)
from tidegate.traffic.switch_words import run_in_words

RATE_WINDOW_SECONDS = 1.0


async def stack_status(stack: LocalStack) -> StackStatus:
    """Ask Envoy, supervisor and the gates' records. Takes a second, to measure rates."""
    record = stack.gateway.record()
    serving = await stack.gateway.is_serving()
    slots = stack.slots.records()
    healthy, rates = await _observe(stack.gateway.admin(), slots) if serving else (set(), {})
    routes = {each.service: each for each in stack.gateway.discovery.services()}
    revisions = []
    for slot in slots:
        is_healthy = set(cluster_names(slot.revision)) <= healthy
        route, (gate, verdict) = routes.get(slot.service), _gate(stack.gates, slot.revision)
        revisions.append(
            RevisionStatus(
                service=slot.service,
                revision=slot.revision,
                release=slot.release,
                role=role_of(route, slot.revision),
                weight=weight_of(route, slot.revision),
                healthy=is_healthy,
                servers_ready=int(is_healthy),
                servers=1,
                requests_per_second=rates.get(slot.revision, 0.0),
                gate=gate,
                verdict=verdict,
            )
        )
    return StackStatus(
        gateway=f"http://{record.address}" if record is not None else None,
        gateway_serving=serving,
        revisions=in_order(revisions),
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
    return run_in_words(run.request, run.progress) if run is not None else None


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


def _gate(gates: GateRuns, revision: str) -> tuple[str, str]:
    """The gate in a word, and its last verdict in a sentence."""
    if gates.is_running(revision):
        return "running", "its gate is running"
    run = gates.decided(revision)
    verdict = run.verdict if run is not None else None
    if verdict is None:
        return "ungated", "never judged here; it cannot take traffic before its gate has passed"
    return verdict.outcome.value, f"{verdict.summary} (judged {verdict.ended_at or 'here'})"
