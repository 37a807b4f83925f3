"""Gates of a cluster: each runs as a Job that outlives `pulumi up`."""

import contextlib
import time
from dataclasses import dataclass

from pydantic import ValidationError

from tidegate.cluster import names
from tidegate.cluster.client import Cluster
from tidegate.cluster.errors import NotFoundError
from tidegate.cluster.kinds import JOB, LEASE
from tidegate.cluster.leases import Leases
from tidegate.gate.request import GateRequest
from tidegate.gate.verdict import Outcome
from tidegate.jobs.runner_jobs import RunnerJob, gate_workers, job_object
from tidegate.jobs.runner_state import RunnerState, look, why_it_ended
from tidegate.provider.configuration import KubernetesConfiguration
from tidegate.provider.handler import Operation
from tidegate.provider.kubernetes.patience import patiently, saying_once
from tidegate.provider.kubernetes.runner_waiting import why_it_does_not_begin
from tidegate.records.gate_documents import VerdictNote
from tidegate.records.gates import GateRecord, GateRecords, GateRun

POLL_SECONDS = 1.0
BEGIN_SECONDS = 300.0
"""So long a Job may take to get a node, and its image."""
STOP_SECONDS = 20.0


class GateRunError(Exception):
    """The runner ended without a verdict; the message says why."""


@dataclass(frozen=True)
class GateAsked:
    """What a new run is asked for."""

    request: GateRequest
    golden: bytes
    accelerator_pool: str | None


class GateRuns:
    """The gates of one namespace. Every method may raise ClusterError."""

    def __init__(self, cluster: Cluster, settings: KubernetesConfiguration) -> None:
        self._cluster = cluster
        self._settings = settings
        self._leases = Leases(cluster)
        self.records = GateRecords(cluster)

    async def under_way(self, gate: GateRecord) -> GateRun | None:
        """The latest run, while it runs and until its verdict has been taken note of."""
        run = await self.records.latest(gate.revision)
        if run is None:
            return None
        state = await look(self._cluster, _job_name(run))
        if not state.has_ended:
            return run
        try:
            verdict = _verdict_of(state, run)
        except GateRunError:
            return None
        noted = gate.verdict.verdict_digest if gate.verdict is not None else None
        return run if verdict is not None and verdict.verdict_digest != noted else None

    async def submit(self, asked: GateAsked) -> GateRun:
        """Start a new run in a Job of its own."""
        run = await self.records.submit(asked.request, asked.golden)
        workers = gate_workers(asked.request.profile)
        job = RunnerJob(
            name=_job_name(run),
            run=run.name,
            kind="gate",
            service=asked.request.service,
            revision=run.revision,
            cpus=workers + 1,
            memory=f"{workers + 1}Gi",
            accelerator_pool=asked.accelerator_pool,
            gate_lease_namespace=self._settings.gate_lease_namespace,
        )
        await self._cluster.ensure(JOB, job_object(job, self._settings))
        return run

    async def follow(self, operation: Operation, run: GateRun) -> VerdictNote:
        """Renew the lease and pass on progress until the verdict; it is kept then.

        Raises GateRunError when the runner ends without one, and whatever `operation.sleep` raises.
        """
        operation, began = saying_once(operation), time.monotonic()
        while True:
            state = await patiently(operation, lambda: self._look(run))
            if state.has_ended:
                break
            if state.has_begun:
                current = await patiently(operation, lambda: self.records.run(run.name))
                progress = current.progress if current is not None else None
                operation.status(progress.message if progress is not None else "the runner begins")
            else:
                why = await why_it_does_not_begin(self._cluster, state)
                message = f"the runner waits: {why or 'its pod is being started'}"
                operation.status(message)
                if time.monotonic() - began > BEGIN_SECONDS:
                    await self._cluster.delete(JOB, _job_name(run))
                    raise GateRunError(f"it did not begin in {BEGIN_SECONDS:g} s; {message}")
            await operation.sleep(POLL_SECONDS)
        verdict = await self._verdict(operation, run, state)
        await patiently(operation, lambda: self.records.keep_verdict(run.revision, verdict))
        return verdict

    async def cancel(self, run: GateRun) -> None:
        """Ask a running gate to stop without a verdict, and end its Job if it does not.

        What it has decided before it was asked is kept.
        """
        with contextlib.suppress(NotFoundError):
            await self._leases.ask_to_cancel(run.name)
        operation, deadline = Operation(), time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            state = await look(self._cluster, _job_name(run))
            if state.has_ended:
                await self._keep_decided(run, state)
                break
            await operation.sleep(POLL_SECONDS)
        await self._cluster.delete(JOB, _job_name(run))

    async def remove(self, revision: str) -> None:
        """Forget the gate; with the last one of the namespace goes what gates took turns by."""
        await self.records.remove(revision)
        if await self.records.has_any():
            return
        for lease in await self._cluster.select(LEASE, names.labels()):
            name = str(lease["metadata"]["name"])
            if name.startswith(names.accelerator_pool_lease("")):
                # Gates of other namespaces may take turns here as well.
                await self._leases.discard(name, own=f"{self._cluster.namespace}/")

    async def _look(self, run: GateRun) -> RunnerState:
        await self._leases.renew(run.name, run.request.service, run.revision)
        return await look(self._cluster, _job_name(run))

    async def _verdict(self, operation: Operation, run: GateRun, state: RunnerState) -> VerdictNote:
        current = await patiently(operation, lambda: self.records.run(run.name))
        verdict = _verdict_of(state, current or run)
        if verdict is not None:
            return verdict
        # A pod may outlive its Job for a while: it must not decide what was said to be undecided.
        with contextlib.suppress(NotFoundError):
            await patiently(operation, lambda: self._leases.ask_to_cancel(run.name))
        progress = current.progress if current is not None else None
        if progress is not None and progress.event in {"error", "cancelled", "leaseLost"}:
            raise GateRunError(progress.message)
        last = f" after saying {progress.message!r}" if progress is not None else ""
        raise GateRunError(f"{why_it_ended(state, _job_name(run))}{last}")

    async def _keep_decided(self, run: GateRun, state: RunnerState) -> None:
        """Before the Job goes, and its message with it."""
        current = await self.records.run(run.name)
        with contextlib.suppress(GateRunError, NotFoundError):
            verdict = _verdict_of(state, current or run)
            if verdict is not None:
                await self.records.keep_verdict(run.revision, verdict)


def _verdict_of(state: RunnerState, run: GateRun) -> VerdictNote | None:
    """What the runner left behind, None when it left nothing.

    A FAIL stands in the run's record too, which outlives the Job. A PASS there is not enough.
    Raises GateRunError for a message that is no verdict on this run's request.
    """
    message = state.termination_message
    if message is None:
        return _recorded_fail(run)
    try:
        verdict = VerdictNote.model_validate_json(message)
    except ValidationError:
        raise GateRunError(
            f"the termination message of Job {_job_name(run)} is no verdict: {message[:300]!r}"
        ) from None
    if verdict.request_digest != run.request.digest:
        raise GateRunError(
            f"the verdict of Job {_job_name(run)} is about another request "
            f"({verdict.request_digest}, asked was {run.request.digest})"
        )
    return verdict


def _recorded_fail(run: GateRun) -> VerdictNote | None:
    verdict = run.verdict
    if verdict is None or verdict.outcome is not Outcome.FAIL:
        return None
    return verdict if verdict.request_digest == run.request.digest else None


def _job_name(run: GateRun) -> str:
    return names.gate_job(run.revision, run.number)
