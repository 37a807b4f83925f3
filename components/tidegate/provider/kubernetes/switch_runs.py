"""Switches of a cluster: each runs as a Job that outlives `pulumi up`."""

import time
from functools import partial

from tidegate.cluster.client import Cluster
from tidegate.cluster.kinds import JOB
from tidegate.cluster.leases import Leases
from tidegate.jobs.runner_jobs import job_object, switch_job
from tidegate.jobs.runner_state import RunnerState, look, why_it_ended
from tidegate.provider.configuration import KubernetesConfiguration
from tidegate.provider.handler import Operation
from tidegate.provider.kubernetes.patience import patiently, saying_once
from tidegate.provider.kubernetes.runner_waiting import why_it_does_not_begin
from tidegate.provider.shared.acting_user import acting_user
from tidegate.records.switch_run import SwitchRun
from tidegate.records.switches import SwitchRecords
from tidegate.traffic.switch_documents import Ending, SwitchOutcome
from tidegate.traffic.switch_history import SwitchPlan

POLL_SECONDS = 0.5
BEGIN_SECONDS = 300.0
"""So long a Job may take to get a node, and its image."""
STARTS = 3
"""So often a Job that has gone is made again in one `pulumi up`."""
CANCEL_SECONDS = 90.0
"""Beside the drain: a pod may have to start first, and the router may be silent for 30 s."""
GONE_SECONDS = 30.0
"""So long a pod may take to go; on a node that does not answer it never does."""
NOBODY = "nobody"
"""Holds the lease of a run that no process carries out any more."""


class SwitchRunError(Exception):
    """The conductor ended without an outcome; the message says why."""


class SwitchRuns:
    """The switches of one namespace. Every method may raise ClusterError."""

    def __init__(self, cluster: Cluster, settings: KubernetesConfiguration) -> None:
        self._cluster = cluster
        self._settings = settings
        self._leases = Leases(cluster)
        self.records = SwitchRecords(cluster)

    async def submit(self, service: str, plan: SwitchPlan, user: str) -> SwitchRun:
        """Start a new run in a Job of its own."""
        run = await self.records.submit(service, plan, self._settings.gateway, user)
        await self._make_job(run)
        return run

    async def follow(self, operation: Operation, run: SwitchRun) -> SwitchOutcome:
        """Renew the lease and pass on progress until the outcome.

        A Job that has gone is made again. Raises SwitchRunError when none stays, and whatever
        `operation.sleep` raises.
        """
        return await self._wait(operation, run, renew=True)

    async def cancel(self, operation: Operation, run: SwitchRun) -> SwitchOutcome:
        """Have the conductor turn back, and wait until it has. Raises SwitchRunError.

        A run that nobody carries out and that has moved nothing needs no conductor: none may be
        able to begin, for the very reason for which the run is cancelled.
        """
        unhurried = Operation(operation.status, operation.info, operation.warn)
        await patiently(unhurried, lambda: self._ask_to_cancel(run))
        outcome = await self._withdrawn(unhurried, run)
        if outcome is not None:
            return outcome
        return await self._wait(
            unhurried, run, renew=False, seconds=CANCEL_SECONDS + run.request.drain_seconds
        )

    async def remove(self, operation: Operation, service: str) -> None:
        """Forget the service's runs and who served, before its routes go.

        So nothing has to be turned back, which might need a pod that cannot begin.
        """
        unhurried = Operation(operation.status, operation.info, operation.warn)
        run = await self.records.unfinished(service)
        if run is not None:
            await self._stop_job(unhurried, run)
        await self.records.remove(service)

    async def _ask_to_cancel(self, run: SwitchRun) -> None:
        await self._leases.renew(run.name, run.request.service)
        await self._leases.ask_to_cancel(run.name)

    async def _withdrawn(self, operation: Operation, run: SwitchRun) -> SwitchOutcome | None:
        """The outcome of a run that was ended without a conductor; None when it needs one."""
        current, state = await patiently(operation, lambda: self._look(run, renew=False))
        if current.outcome is not None:
            return current.outcome
        if current.may_have_moved or state.is_running:
            return None
        hindrance = await why_it_does_not_begin(self._cluster, state)
        await self._stop_job(operation, current)
        # Its pod may have begun before it went.
        current = await patiently(operation, lambda: self._current(run))
        if current.outcome is not None or current.may_have_moved:
            return current.outcome
        reason = "cancelled before it began" + (f": {hindrance}" if hindrance else "")
        return await patiently(
            operation,
            lambda: self.records.end_untouched(current, Ending.CANCELLED, reason, acting_user()),
        )

    async def _stop_job(self, operation: Operation, run: SwitchRun) -> None:
        """Have nobody carry the run out: its process loses the lease, then its pod."""
        name = switch_job(run).name
        await patiently(operation, lambda: self._take_over(run))
        await patiently(operation, lambda: self._cluster.delete(JOB, name))
        deadline = time.monotonic() + GONE_SECONDS
        while time.monotonic() < deadline:
            state = await patiently(operation, lambda: look(self._cluster, name))
            if state.job is None and not state.pods:
                return
            operation.status(f"waiting for the end of Job {name}")
            await operation.sleep(POLL_SECONDS)

    async def _take_over(self, run: SwitchRun) -> None:
        await self._leases.renew(run.name, run.request.service)
        await self._leases.hold(run.name, NOBODY)

    async def _wait(
        self,
        operation: Operation,
        run: SwitchRun,
        *,
        renew: bool,
        seconds: float | None = None,
    ) -> SwitchOutcome:
        operation = saying_once(operation)
        began, starts, not_begun_since = time.monotonic(), 0, time.monotonic()
        back_since: float | None = None
        while True:
            current, state = await patiently(operation, lambda: self._look(run, renew))
            if current.outcome is not None:
                return current.outcome
            now = time.monotonic()
            if state.has_ended:
                if starts == STARTS:
                    why = why_it_ended(state, switch_job(current).name)
                    raise SwitchRunError(
                        f"the conductor did not stay up, and leaves the routes as they are: {why}. "
                        "Mend what ends it and run `pulumi up` again, which goes on from there"
                    )
                starts, not_begun_since = starts + 1, now
                operation.status(f"starting the conductor again: {why_it_ended(state, run.name)}")
                again = await self.records.note_restart(current)
                # The node that has gone may have had a webhook's pod as well.
                await patiently(operation, partial(self._make_job, again))
            elif state.has_begun:
                not_begun_since = now
                progress = current.progress
                if progress is not None:
                    operation.status(progress.message)
                goes_back = progress is not None and progress.state == "turningBack"
                back_since = (back_since or now) if goes_back else None
                if progress is not None and back_since and now - back_since > CANCEL_SECONDS:
                    raise SwitchRunError(
                        f"the traffic is not back after {CANCEL_SECONDS:g} s, and the conductor "
                        f"goes on trying: {progress.message}"
                    )
            else:
                hindrance = await why_it_does_not_begin(self._cluster, state)
                message = f"the conductor waits: {hindrance or 'its pod is being started'}"
                operation.status(message)
                if now - not_begun_since > BEGIN_SECONDS:
                    raise SwitchRunError(f"it did not begin in {BEGIN_SECONDS:g} s; {message}")
            if seconds is not None and now - began > seconds:
                raise SwitchRunError(await self._why_not_back(current, state, seconds))
            await operation.sleep(POLL_SECONDS)

    async def _why_not_back(self, run: SwitchRun, state: RunnerState, seconds: float) -> str:
        why = await why_it_does_not_begin(self._cluster, state)
        if why is None:
            why = run.progress.message if run.progress is not None else "it has said nothing yet"
        return (
            f"the conductor did not turn back within {seconds:g} s: {why}. The traffic stays where "
            "it is until a conductor can turn it back: mend what holds it up, and do this again"
        )

    async def _look(self, run: SwitchRun, renew: bool) -> tuple[SwitchRun, RunnerState]:
        if renew:
            await self._leases.renew(run.name, run.request.service)
        current = await self._current(run)
        state = await look(self._cluster, switch_job(current).name)
        # The outcome may have been written between the two, and the Job have ended with it.
        return (await self._current(run) if state.has_ended else current), state

    async def _current(self, run: SwitchRun) -> SwitchRun:
        found = await self.records.run(run.name)
        if found is None:
            raise SwitchRunError(f"ConfigMap {run.name}, the record of the run, was deleted")
        return found

    async def _make_job(self, run: SwitchRun) -> None:
        await self._cluster.ensure(JOB, job_object(switch_job(run), self._settings))
