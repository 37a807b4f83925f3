"""Waiting, from inside the cluster, until a revision has answered what it had begun."""

import time

from tidegate.cluster import names
from tidegate.cluster.client import Cluster
from tidegate.cluster.endpoints import ready_endpoints
from tidegate.cluster.errors import ClusterError, is_refusal
from tidegate.cluster.kinds import JOB
from tidegate.cluster.leases import Leases
from tidegate.jobs.runner_jobs import RunnerJob, job_object
from tidegate.jobs.runner_state import RunnerState, look, why_it_ended
from tidegate.provider.configuration import KubernetesConfiguration
from tidegate.provider.handler import Operation
from tidegate.provider.kubernetes.patience import patiently, saying_once
from tidegate.provider.kubernetes.runner_waiting import why_it_does_not_begin
from tidegate.records.drains import DrainRecords, DrainRequest, DrainRun
from tidegate.records.switch_run import SwitchRun
from tidegate.records.switches import SwitchRecords
from tidegate.traffic.switch_documents import DrainRecord

POLL_SECONDS = 0.5
BEGIN_SECONDS = 90.0
"""So long the Job may take to begin; the pods' own grace has to do after that."""


class Drains:
    """Drains of one namespace. Every method may raise ClusterError."""

    def __init__(self, cluster: Cluster, settings: KubernetesConfiguration) -> None:
        self._cluster = cluster
        self._settings = settings
        self._records = DrainRecords(cluster)

    async def drain(
        self, operation: Operation, service: str, revision: str, seconds: float, is_pinned: bool
    ) -> None:
        """Wait for a revision that no user's route mentions; warn when something is cut.

        `is_pinned`: a rule still leads to it, which goes with the drain. A drain that cannot be
        watched holds nothing up: a pod that ends finishes by itself what it has begun, within its
        own grace.
        """
        if not is_pinned and (
            not await self._can_be_asked(revision) or await self._is_drained(service, revision)
        ):
            await self.forget(revision)
            return
        request = DrainRequest(
            service=service,
            revision=revision,
            drain_seconds=seconds,
            gateway=self._settings.gateway,
        )
        try:
            run = await self._submit(request)
            await self._make_job(run)
            drained = await self._wait(operation, run)
        except ClusterError as error:
            if not is_refusal(error):
                raise
            operation.warn(f"the drain of {revision} was not seen: {error}")
            return
        finally:
            await self._records.remove(revision)
        if drained is not None and any(drained.open_requests.values()):
            left = ", ".join(f"{name} {n}" for name, n in drained.open_requests.items())
            operation.warn(
                f"{revision} still has requests open after {drained.seconds:g} s ({left}) and is "
                "stopped: they are cut when its grace ends"
            )

    async def forget(self, revision: str) -> None:
        """End a drain that a killed `up` may have left: the revision stays, or needs none now."""
        if await self._records.run(names.drain_record(revision)) is not None:
            await self._records.remove(revision)

    async def _submit(self, request: DrainRequest) -> DrainRun:
        """A drain that is under way is taken up; one that has ended says nothing of today."""
        left = await self._records.run(names.drain_record(request.revision))
        if left is not None:
            state = await look(self._cluster, names.drain_job(request.revision))
            if left.outcome is not None or state.has_ended:
                await self._records.remove(request.revision)
        return await self._records.submit(request)

    async def _can_be_asked(self, revision: str) -> bool:
        """Whether there is a server that could have begun something."""
        return (await ready_endpoints(self._cluster, revision))[revision] > 0

    async def _is_drained(self, service: str, revision: str) -> bool:
        """Whether the last switch that took traffic from the revision saw its last answer."""
        for run in await SwitchRecords(self._cluster).runs(service):
            if _gave_traffic_to(run, revision):
                drained = run.outcome.drained if run.outcome is not None else None
                return (
                    drained is not None
                    and drained.revision == revision
                    and not any(drained.open_requests.values())
                )
        return False

    async def _wait(self, operation: Operation, run: DrainRun) -> DrainRecord | None:
        """The outcome; None, said as a warning, when it was not seen."""
        operation = saying_once(operation)
        request, began = run.request, time.monotonic()
        while True:
            current, state = await patiently(operation, lambda: self._look(run))
            if current is not None and current.outcome is not None:
                return current.outcome
            seconds = time.monotonic() - began
            why = None
            if current is None or state.has_ended:
                why = why_it_ended(state, names.drain_job(request.revision))
            elif not state.has_begun and seconds > BEGIN_SECONDS:
                hindrance = await why_it_does_not_begin(self._cluster, state)
                why = f"its Job did not begin in {BEGIN_SECONDS:g} s"
                why = f"{why}: {hindrance}" if hindrance else why
            elif seconds > BEGIN_SECONDS + request.drain_seconds:
                why = f"it took longer than {seconds:.0f} s"
            if why is not None:
                operation.warn(f"the drain of {request.revision} was not seen: {why}")
                return None
            progress = current.progress if current is not None else None
            operation.status(progress or f"draining {request.revision}")
            await operation.sleep(POLL_SECONDS)

    async def _look(self, run: DrainRun) -> tuple[DrainRun | None, RunnerState]:
        request = run.request
        await Leases(self._cluster).renew(run.name, request.service, request.revision)
        state = await look(self._cluster, names.drain_job(request.revision))
        # After the Job: its outcome is written before it ends.
        return await self._records.run(run.name), state

    async def _make_job(self, run: DrainRun) -> None:
        job = RunnerJob(
            name=names.drain_job(run.request.revision),
            run=run.name,
            kind="drain",
            service=run.request.service,
            revision=run.request.revision,
        )
        await self._cluster.ensure(JOB, job_object(job, self._settings))


def _gave_traffic_to(run: SwitchRun, revision: str) -> bool:
    request = run.request
    before = [request.routes_before] if request.routes_before is not None else []
    routes = [*before, *(stage.routes for stage in request.stages)]
    return any(each.weights.get(revision, 0) > 0 for each in routes)
