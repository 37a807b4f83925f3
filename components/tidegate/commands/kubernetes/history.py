"""What a namespace still tells of a service: its switches, and what its gates decided."""

from typing import Any

from tidegate.cluster.client import Cluster
from tidegate.records.gates import GateRecords, GateRun
from tidegate.records.switches import SwitchRecords


async def events_of(cluster: Cluster, service: str) -> list[dict[str, Any]]:
    """Oldest first. Raises ClusterError."""
    gates = [_gate_event(each) for each in await GateRecords(cluster).runs(service)]
    switches = await SwitchRecords(cluster).events(service)
    told = [*switches, *(each for each in gates if each is not None)]
    return sorted(told, key=lambda event: str(event["at"]))


def _gate_event(run: GateRun) -> dict[str, Any] | None:
    """The last word of a gate's run; None when it has not begun."""
    if run.progress is None:
        return None
    event = {
        "at": run.progress.at,
        "event": "gate",
        "revision": run.revision,
        "gateRun": run.number,
    }
    if run.verdict is None:
        return {**event, "message": f"{run.revision}, run {run.number}: {run.progress.message}"}
    verdict = run.verdict
    return {
        **event,
        "message": f"{run.revision}, run {run.number}: {verdict.summary}",
        "outcome": verdict.outcome.value,
        "reasons": list(verdict.reasons),
        "evidence": verdict.evidence_path,
        "report": verdict.report_path,
    }
