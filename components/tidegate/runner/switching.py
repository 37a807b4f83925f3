"""Carries a switch out with the records and the router of a cluster."""

import asyncio
import contextlib
import time
import traceback

from tidegate.cluster.client import Cluster
from tidegate.cluster.errors import ClusterError, NotFoundError
from tidegate.cluster.leases import Leases
from tidegate.records.switch_run import SwitchRun
from tidegate.records.switches import SwitchRecords
from tidegate.runner.buffered_records import BufferedRecords
from tidegate.runner.careful_router import CarefulRouter, NotAllowedError
from tidegate.runner.environment import RunnerEnvironment
from tidegate.runner.wanted import AnotherRunnerError, WantedRun
from tidegate.spec.traffic import FULL_WEIGHT
from tidegate.traffic.conductor import Conductor
from tidegate.traffic.conductor_parts import Surroundings
from tidegate.traffic.gateway_api.router import GatewayApiRouter
from tidegate.traffic.judges import StageJudges
from tidegate.traffic.router import RouterError
from tidegate.traffic.switch_documents import Decision, Ending, SwitchOutcome

HEALTHY_WITHIN_SECONDS = 30.0
HEALTH_POLL_SECONDS = 0.5
RETRY_SECONDS = 2.0


async def carry_out_switch(cluster: Cluster, environment: RunnerEnvironment) -> None:
    """Leave the outcome in the record. Raises ClusterError and AnotherRunnerError."""
    records = SwitchRecords(cluster)
    run = await _run(records, environment.run)
    if run.outcome is not None:
        return
    router = GatewayApiRouter(cluster, run.gateway)
    try:
        await _Switching(cluster, records, router, environment).carry_out(run)
    finally:
        await router.close()


class _Switching:
    """One run, in this process."""

    def __init__(
        self,
        cluster: Cluster,
        records: SwitchRecords,
        router: GatewayApiRouter,
        environment: RunnerEnvironment,
    ) -> None:
        self._leases = Leases(cluster)
        self._records = records
        self._router = router
        self._environment = environment
        self._override: str | None = None

    async def carry_out(self, run: SwitchRun) -> None:
        request = run.request
        service, name = request.service, run.name
        wanted = WantedRun(self._leases, name, self._environment.holder, request.lease_seconds)

        async def look_for_override() -> None:
            found = await self._records.override(service)
            self._override = found.revision if found is not None else None

        await look_for_override()
        buffered = BufferedRecords(
            self._records, service, name, await self._records.reference(name)
        )
        words = f"the switch from {request.from_revision} to {request.to_revision}"
        event, verb = ("resumed", "goes on") if run.position.resumed else ("started", "begins")
        buffered.note(event, f"{words} {verb}", run=request.run, step=run.position.stage + 1)
        async with wanted.watched(look_for_override), buffered.flushing():
            try:
                outcome = await self._outcome(run, wanted, buffered)
            except asyncio.CancelledError:
                if wanted.is_taken_over:
                    raise AnotherRunnerError(f"another process carries {name} out") from None
                buffered.note("interrupted", f"{words} goes on in another process", run=request.run)
                with contextlib.suppress(ClusterError):
                    await buffered.flush()
                raise
            await wanted.check_holder()
            await self._end(run, outcome, buffered)

    async def _outcome(
        self, run: SwitchRun, wanted: WantedRun, buffered: BufferedRecords
    ) -> SwitchOutcome:
        """Try until there is one: traffic that has to go back is not left where it is."""

        async def before_moving() -> None:
            await wanted.check_holder()
            await buffered.flush()

        router = CarefulRouter(self._router, before_moving)
        may_have_moved = run.position.resumed
        if not may_have_moved:
            try:
                refused = await self._not_healthy(run, router, wanted, buffered)
            except NotAllowedError as error:
                return _not_allowed(run, error, buffered)
            if refused is not None:
                return refused
            await self._note_who_serves(run)
        while True:
            try:
                return await self._conduct(run, router, wanted, buffered)
            except AnotherRunnerError:
                raise
            except NotAllowedError as error:
                if not may_have_moved and not router.may_have_moved:
                    return _not_allowed(run, error, buffered)
                if run.position.decision is None:
                    buffered.keep_decision(_turned_back(run, str(error)))
                else:
                    words = f"the traffic is not back yet: {error}"
                    buffered.note("refused", words, run=run.number)
            except (RouterError, ClusterError) as error:
                words = f"the traffic is not back yet: {error}"
                buffered.note("routerSilent", words, run=run.number)
            except Exception as error:
                # The next try turns back: it would only fail again on the way forward.
                traceback.print_exc()
                if run.position.decision is not None:
                    raise
                words = f"the conductor failed: {type(error).__name__}: {error}"
                buffered.keep_decision(_turned_back(run, words))
            run = await self._written_and_read(run, buffered)

    async def _written_and_read(self, run: SwitchRun, buffered: BufferedRecords) -> SwitchRun:
        """The run as its record has it once everything is in there, however long that takes.

        From an older position a conductor would take what this run has moved for somebody else's.
        """
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            with contextlib.suppress(ClusterError):
                await buffered.flush()
                return await _run(self._records, run.name)

    async def _conduct(
        self,
        run: SwitchRun,
        router: CarefulRouter,
        wanted: WantedRun,
        buffered: BufferedRecords,
    ) -> SwitchOutcome:
        request = run.request

        def stop() -> Ending | None:
            reason = wanted.stop_reason()
            return Ending(reason) if reason is not None else None

        judged = sum(stage.kind != "final" for stage in request.stages)
        conductor = Conductor(
            request,
            router,
            StageJudges(request.strategy, judged, request.seed),
            buffered,
            Surroundings(stop, lambda: self._override, asyncio.sleep, time.monotonic),
            run.position,
        )
        return await conductor.run()

    async def _end(self, run: SwitchRun, outcome: SwitchOutcome, buffered: BufferedRecords) -> None:
        """Write the outcome last; a process that is started again before it ends the same way."""
        if outcome.ending is Ending.ADVANCED:
            await self._records.note_served(outcome.service, outcome.to_revision)
        if outcome.ending is not Ending.SUPERSEDED and _is_answered(run, outcome):
            # A revision that may still answer stays pinned, so that it can be watched.
            with contextlib.suppress(RouterError):
                await self._router.release(outcome.service)
        await buffered.flush()
        await self._records.end(run.name, outcome)

    # -- before anything moves ----------------------------------------------------------------

    async def _not_healthy(
        self,
        run: SwitchRun,
        router: CarefulRouter,
        wanted: WantedRun,
        buffered: BufferedRecords,
    ) -> SwitchOutcome | None:
        """Wait for the revision that is to take the traffic; an outcome when that is in vain."""
        revision = run.request.to_revision
        deadline = time.monotonic() + HEALTHY_WITHIN_SECONDS
        why = "no endpoint of its Service is ready"
        while True:
            reason = wanted.stop_reason()
            if reason is not None:
                words = "cancelled" if reason == "cancelled" else "nobody renewed the lease"
                return _untouched(run, Ending(reason), f"{words} before anything was moved")
            try:
                if await router.is_healthy(revision):
                    return None
            except RouterError as error:
                why = str(error)
            if time.monotonic() > deadline:
                words = f"{revision} was not healthy within {HEALTHY_WITHIN_SECONDS:g} s: {why}"
                buffered.note("turnedBack", words, run=run.number)
                return _untouched(run, Ending.TURNED_BACK, words)
            await asyncio.sleep(HEALTH_POLL_SECONDS)

    async def _note_who_serves(self, run: SwitchRun) -> None:
        """Going back to it later is a rollback, which nothing holds up."""
        before, live = run.request.routes_before, run.request.from_revision
        if before is not None and before.weights.get(live) == FULL_WEIGHT:
            await self._records.note_served(run.request.service, live)


async def _run(records: SwitchRecords, name: str) -> SwitchRun:
    run = await records.run(name)
    if run is None:
        raise NotFoundError(f"there is no record {name} of a switch")
    return run


def _is_answered(run: SwitchRun, outcome: SwitchOutcome) -> bool:
    """Whether the revision that left the routes, if one did, was seen to have ended everything."""
    if outcome.drained is not None:
        return not outcome.drained.open_requests
    request, has_advanced = run.request, outcome.ending is Ending.ADVANCED
    left = request.from_revision if has_advanced else request.to_revision
    now = request.stages[-1].routes if has_advanced else request.routes_before
    return now is not None and now.weights.get(left, 0) > 0


def _turned_back(run: SwitchRun, reason: str) -> Decision:
    return Decision(
        ending=Ending.TURNED_BACK, reason=reason, was_shown=False, stage=run.position.stage + 1
    )


def _not_allowed(
    run: SwitchRun, error: NotAllowedError, buffered: BufferedRecords
) -> SwitchOutcome:
    buffered.note("turnedBack", str(error), run=run.number)
    return _untouched(run, Ending.TURNED_BACK, str(error))


def _untouched(run: SwitchRun, ending: Ending, reason: str) -> SwitchOutcome:
    return SwitchOutcome.untouched(run.request, ending, reason)
