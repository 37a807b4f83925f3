"""Gates of a namespace: one record for each revision, one for each of its runs."""

import json
import secrets
from dataclasses import dataclass
from typing import Any

from tidegate.cluster import names
from tidegate.cluster.client import Cluster, Object
from tidegate.cluster.kinds import CONFIG_MAP, JOB, LEASE
from tidegate.cluster.leases import Leases
from tidegate.gate.clock import utc_now
from tidegate.gate.request import GateRequest
from tidegate.gate.verdict import Outcome
from tidegate.records.config_map import binary, change, config_map, text
from tidegate.records.gate_documents import GateProgress, VerdictNote

GATE = "gate.json"
REQUEST = "request.json"
GOLDEN = "golden.npz"
PROGRESS = "progress.json"
VERDICT = "verdict.json"


@dataclass(frozen=True)
class GateRecord:
    """`gate.<revision>`. The nonce is made with the gate and goes with its deletion."""

    service: str
    revision: str
    nonce: str
    created_at: str
    latest_run: int
    """0 when the gate never ran."""
    verdict: VerdictNote | None
    """Of the latest run that was decided."""

    @property
    def has_passed(self) -> bool:
        return self.verdict is not None and self.verdict.outcome is Outcome.PASS


@dataclass(frozen=True)
class GateRun:
    """`gate.<revision>.<run>`. Its Job is `names.gate_job(revision, number)`."""

    name: str
    revision: str
    number: int
    request: GateRequest
    golden: bytes
    progress: GateProgress | None
    verdict: VerdictNote | None
    """What the runner wrote at its end, as in its termination message."""


class GateRecords:
    """Gates of one namespace. Every method raises ClusterError."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._leases = Leases(cluster)

    async def ensure(self, service: str, revision: str) -> GateRecord:
        """The revision's gate, made when there is none."""
        gate = {"nonce": secrets.token_hex(8), "createdAt": utc_now(), "latestRun": 0}
        name, labels = names.gate_record(revision), names.labels(service, revision, record="gate")
        content = config_map(name, labels, {GATE: json.dumps(gate)})
        return _gate(await self._cluster.ensure(CONFIG_MAP, content))

    async def find(self, revision: str) -> GateRecord | None:
        found = await self._cluster.find(CONFIG_MAP, names.gate_record(revision))
        return _gate(found) if found is not None else None

    async def all(self, service: str | None = None) -> list[GateRecord]:
        """Every gate of the namespace, or of one service."""
        found = await self._cluster.select(CONFIG_MAP, names.labels(service, record="gate"))
        return [_gate(each) for each in found]

    async def has_any(self) -> bool:
        """Whether the namespace has any gate."""
        return await self._cluster.has_any(CONFIG_MAP, names.labels(record="gate"))

    async def submit(self, request: GateRequest, golden: bytes) -> GateRun:
        """Record a new run with its lease; the caller makes its Job. The gate must be there."""
        revision = request.revision

        def counted(data: dict[str, str]) -> dict[str, str]:
            gate = json.loads(data[GATE])
            return {**data, GATE: json.dumps({**gate, "latestRun": gate["latestRun"] + 1})}

        data = await change(self._cluster, names.gate_record(revision), counted)
        number = int(json.loads(data[GATE])["latestRun"])
        name = names.gate_run(revision, number)
        labels = names.labels(request.service, revision, record="gate-run")
        content = config_map(name, labels, {REQUEST: request.to_json()}, {GOLDEN: golden})
        made = await self._cluster.create(CONFIG_MAP, content)
        # Last: a lease without a record would be nobody's, should this be the end of the process.
        await self._leases.renew(name, request.service, revision)
        return _run(made)

    async def run(self, name: str) -> GateRun | None:
        found = await self._cluster.find(CONFIG_MAP, name)
        return _run(found) if found is not None else None

    async def latest(self, revision: str) -> GateRun | None:
        """The newest run, None when the gate never ran (or was never there)."""
        gate = await self.find(revision)
        if gate is None or not gate.latest_run:
            return None
        return await self.run(names.gate_run(revision, gate.latest_run))

    async def runs(self, service: str) -> list[GateRun]:
        """Every run of the service's gates that the namespace still holds."""
        labels = names.labels(service, record="gate-run")
        return [_run(each) for each in await self._cluster.select(CONFIG_MAP, labels)]

    async def keep_verdict(self, revision: str, verdict: VerdictNote) -> None:
        """Store in the gate what its latest run decided."""

        def decided(data: dict[str, str]) -> dict[str, str]:
            return {**data, VERDICT: verdict.to_json()}

        await change(self._cluster, names.gate_record(revision), decided)

    async def remove(self, revision: str) -> None:
        """Forget the gate: its nonce, runs, leases and Jobs. Evidence and attempts stay."""
        jobs = names.labels(revision=revision, job="gate")
        for job in await self._cluster.select(JOB, jobs):
            await self._cluster.delete(JOB, job["metadata"]["name"])
        runs = names.labels(revision=revision, record="gate-run")
        for run in await self._cluster.select(CONFIG_MAP, runs):
            await self._cluster.delete(LEASE, run["metadata"]["name"])
            await self._cluster.delete(CONFIG_MAP, run["metadata"]["name"])
        await self._cluster.delete(CONFIG_MAP, names.gate_record(revision))

    # -- what the runner writes ---------------------------------------------------------------

    async def show(self, run: str, progress: GateProgress) -> None:
        await self._write(run, PROGRESS, progress.to_json())

    async def end(self, run: str, verdict: VerdictNote) -> None:
        await self._write(run, VERDICT, verdict.to_json())

    async def _write(self, run: str, key: str, content: str) -> None:
        await self._cluster.patch(CONFIG_MAP, run, {"data": {key: content}})


def _gate(record: Object) -> GateRecord:
    gate: dict[str, Any] = json.loads(text(record, GATE) or "")
    labels = record["metadata"]["labels"]
    verdict = text(record, VERDICT)
    return GateRecord(
        service=labels[names.SERVICE_LABEL],
        revision=labels[names.REVISION_LABEL],
        nonce=gate["nonce"],
        created_at=gate["createdAt"],
        latest_run=int(gate["latestRun"]),
        verdict=VerdictNote.model_validate_json(verdict) if verdict is not None else None,
    )


def _run(record: Object) -> GateRun:
    name = record["metadata"]["name"]
    progress, verdict = text(record, PROGRESS), text(record, VERDICT)
    return GateRun(
        name=name,
        revision=record["metadata"]["labels"][names.REVISION_LABEL],
        number=int(name.rpartition(".")[2]),
        request=GateRequest.model_validate_json(text(record, REQUEST) or ""),
        golden=binary(record, GOLDEN) or b"",
        progress=GateProgress.model_validate_json(progress) if progress is not None else None,
        verdict=VerdictNote.model_validate_json(verdict) if verdict is not None else None,
    )
