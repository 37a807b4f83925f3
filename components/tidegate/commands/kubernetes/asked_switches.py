"""A switch's Job that a person asks for, past the engine."""

import asyncio
import time
from collections.abc import Callable

from tidegate.cluster.client import Cluster
from tidegate.cluster.errors import ClusterError, UnreachableError
from tidegate.cluster.kinds import JOB
from tidegate.cluster.leases import Leases
from tidegate.jobs.runner_jobs import RunnerSettings, job_object, switch_job
from tidegate.jobs.runner_state import RunnerState, look, why_it_ended
from tidegate.records.switch_run import SwitchRun
from tidegate.records.switches import SwitchRecords
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.traffic.switch_documents import Ending, SwitchOutcome
from tidegate.traffic.switch_history import SwitchPlan
from tidegate.traffic.takeover import TakeoverError

POLL_SECONDS = 0.3
BEGIN_SECONDS = 120.0
"""So long the Job may take to get a node, and its image."""
SILENCE_SECONDS = 30.0
"""So long the API server may be silent while the Job works."""
STOP_SECONDS = 20.0

Say = Callable[[str], None]


class AskedSwitches:
    """Switches of one namespace, asked for by `by`. Every method may raise ClusterError."""

    def __init__(self, cluster: Cluster, settings: RunnerSettings, by: str) -> None:
        self._cluster = cluster
        self._settings = settings
        self._by = by
        self._leases = Leases(cluster)
        self.records = SwitchRecords(cluster)

    async def submit(self, service: str, plan: SwitchPlan, gateway: GatewayReference) -> SwitchRun:
        """Start a new run in a Job of its own."""
        run = await self.records.submit(service, plan, gateway, self._by)
        try:
            await self._cluster.ensure(JOB, job_object(switch_job(run), self._settings))
        except ClusterError as error:
            await self._end(run, f"its Job could not be made: {error}")
            raise
        return run

    async def moved(self, run: SwitchRun, say: Say) -> SwitchOutcome | None:
        """Follow the run until its routes are in force, or it has ended otherwise.

        None while it still waits for what the former revision has begun. Raises TakeoverError when
        it ends, or does not begin, without an outcome.
        """
        began = answered = time.monotonic()
        said = ""
        while True:
            try:
                await self._leases.renew(run.name, run.request.service)
                state = await look(self._cluster, switch_job(run).name)
                # After the Job: its outcome is written before it ends.
                current = await self.records.run(run.name)
                answered = time.monotonic()
            except UnreachableError:
                if time.monotonic() - answered > SILENCE_SECONDS:
                    raise
                await asyncio.sleep(POLL_SECONDS)
                continue
            if current is None:
                raise TakeoverError(f"ConfigMap {run.name}, the record of the run, was deleted")
            if current.outcome is not None or current.is_in_force:
                return current.outcome
            words = self._words(current, state, answered - began)
            if words != said:
                said = words
                say(words)
            await asyncio.sleep(POLL_SECONDS)

    def _words(self, run: SwitchRun, state: RunnerState, seconds: float) -> str:
        """How far it is. Raises TakeoverError when it does not get any further."""
        if state.has_ended:
            why = why_it_ended(state, switch_job(run).name)
            raise TakeoverError(f"the traffic was not moved: {why}")
        if run.progress is not None:
            return run.progress.message
        if state.has_begun:
            return "the switch begins"
        words = f"the switch's Job waits: {state.waits_for or 'its pod is being started'}"
        if seconds > BEGIN_SECONDS:
            raise TakeoverError(
                f"the traffic was not moved: in {BEGIN_SECONDS:g} s it did not begin; {words}"
            )
        return words

    async def stop(self, run: SwitchRun) -> None:
        """Have the run turn back; one that cannot is ended with its Job."""
        current = await self.records.run(run.name)
        if current is None or current.outcome is not None:
            return
        job = switch_job(run).name
        state = await look(self._cluster, job)
        if state.has_begun and not state.has_ended:
            await self._leases.ask_to_cancel(run.name)
            deadline = time.monotonic() + STOP_SECONDS
            while time.monotonic() < deadline:
                current = await self.records.run(run.name)
                if current is None or current.outcome is not None:
                    return
                await asyncio.sleep(POLL_SECONDS)
        await self._cluster.delete(JOB, job)
        await self._end(run, "the command that asked for it has given up")

    async def _end(self, run: SwitchRun, reason: str) -> None:
        await self.records.end_untouched(run, Ending.CANCELLED, reason, self._by)
