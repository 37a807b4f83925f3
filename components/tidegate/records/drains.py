"""Drains that belong to no switch: a held revision ends what it has begun before its slot goes."""

from dataclasses import dataclass

from pydantic import Field

from tidegate.cluster import names
from tidegate.cluster.client import Cluster, Object
from tidegate.cluster.kinds import CONFIG_MAP, JOB, LEASE
from tidegate.cluster.leases import Leases
from tidegate.gate.document import Document
from tidegate.records.config_map import config_map, text
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.traffic.switch_documents import DrainRecord

LEASE_SECONDS = 20.0
REQUEST = "drain.json"
PROGRESS = "progress.txt"
OUTCOME = "outcome.json"


class DrainRequest(Document):
    """What the runner is asked to wait for. The revision is in no user's route any more."""

    service: str
    revision: str
    drain_seconds: float = Field(ge=0)
    lease_seconds: float = LEASE_SECONDS
    gateway: GatewayReference


@dataclass(frozen=True)
class DrainRun:
    """`drain.<revision>`. Its Job is `names.drain_job(revision)`."""

    name: str
    request: DrainRequest
    progress: str | None
    """One line for people."""
    outcome: DrainRecord | None


class DrainRecords:
    """Drains of one namespace. Every method raises ClusterError."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._leases = Leases(cluster)

    async def submit(self, request: DrainRequest) -> DrainRun:
        """Record a drain with its lease, or find it there; the caller makes its Job."""
        name = names.drain_record(request.revision)
        labels = names.labels(request.service, request.revision, record="drain")
        content = config_map(name, labels, {REQUEST: request.to_json()})
        made = await self._cluster.ensure(CONFIG_MAP, content)
        await self._leases.renew(name, request.service, request.revision)
        return _run(made)

    async def run(self, name: str) -> DrainRun | None:
        found = await self._cluster.find(CONFIG_MAP, name)
        return _run(found) if found is not None else None

    async def remove(self, revision: str) -> None:
        """Forget the drain, its lease and its Job."""
        name = names.drain_record(revision)
        await self._cluster.delete(JOB, names.drain_job(revision))
        await self._cluster.delete(LEASE, name)
        await self._cluster.delete(CONFIG_MAP, name)

    # -- what the runner writes ---------------------------------------------------------------

    async def show(self, run: str, line: str) -> None:
        await self._cluster.patch(CONFIG_MAP, run, {"data": {PROGRESS: line}})

    async def end(self, run: str, outcome: DrainRecord) -> None:
        await self._cluster.patch(CONFIG_MAP, run, {"data": {OUTCOME: outcome.to_json()}})


def _run(record: Object) -> DrainRun:
    outcome = text(record, OUTCOME)
    return DrainRun(
        name=record["metadata"]["name"],
        request=DrainRequest.model_validate_json(text(record, REQUEST) or ""),
        progress=text(record, PROGRESS),
        outcome=DrainRecord.model_validate_json(outcome) if outcome else None,
    )
