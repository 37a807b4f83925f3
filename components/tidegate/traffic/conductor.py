"""Carries a switch out stage by stage, on any router: moves, watches, goes on or goes back."""

import contextlib
from collections.abc import Sequence

from tidegate.traffic.conductor_parts import (
    Judges,
    Position,
    Records,
    Snapshot,
    Surroundings,
)
from tidegate.traffic.drain import drain
from tidegate.traffic.outcome import Judge, StageOutcome
from tidegate.traffic.plan import Stage
from tidegate.traffic.router import Router, RouterError, RoutesChangedError
from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.steady_router import POLL_SECONDS, SteadyRouter, StoppedError
from tidegate.traffic.switch_documents import (
    Decision,
    DrainRecord,
    Ending,
    SwitchOutcome,
    SwitchRequest,
)
from tidegate.traffic.switch_report import SwitchReport
from tidegate.traffic.switch_words import judgement_in_words, stage_in_words, weights_in_words
from tidegate.traffic.user_watch import HISTORY_SECONDS, History

LOOK_SECONDS = 1.0
UNHEALTHY_SECONDS = 5.0
"""So long the candidate may fail its health checks: a killed server is back by then."""
RETURN_PATIENCE_SECONDS = 10.0
"""So long going back waits for the former revision to be healthy."""


class _TurnBackError(Exception):
    """The switch does not go on: shown by what users met, or for want of it."""

    def __init__(self, reason: str, was_shown: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.was_shown = was_shown


class Conductor:
    """One run of a service's switch, from `position` on."""

    def __init__(
        self,
        request: SwitchRequest,
        router: Router,
        judges: Judges,
        records: Records,
        surroundings: Surroundings,
        position: Position,
    ) -> None:
        self._request = request
        self._judges = judges
        self._records = records
        self._around = surroundings
        self._position = position
        self._report = SwitchReport(request, records, surroundings.clock, position)
        self._router = SteadyRouter(
            router,
            request.service,
            position.possibly_in_force(request),
            surroundings,
            lambda message: self._report.show("running", message),
        )
        self._history = History()

    async def run(self) -> SwitchOutcome:
        """Carry the run out to its end.

        Raises RouterError when the router is silent while the traffic has to go back; a conductor
        that is started again then goes on going back.
        """
        request, decision = self._request, self._position.decision
        try:
            if decision is None:
                decision = await self._go_forward()
            if decision is not None:
                await self._go_back(decision)
        except RoutesChangedError:
            reason = (
                f"somebody else moved the traffic of {request.service} meanwhile; "
                "this switch has touched nothing since"
            )
            return self._report.outcome(self._decision(Ending.SUPERSEDED, reason), None)
        drained = await self._drain_what_left(decision)
        await self._count_the_last()
        if decision is not None:
            return self._report.outcome(decision, drained)
        reason = f"all traffic of {request.service} goes to {request.to_revision}"
        return self._report.outcome(self._decision(Ending.ADVANCED, reason), drained)

    # -- forward ------------------------------------------------------------------------------

    async def _go_forward(self) -> Decision | None:
        """Through the stages; what was decided when the switch has to go back."""
        try:
            for number in range(self._position.stage, len(self._request.stages)):
                self._report.begin(number)
                await self._carry_out(self._request.stages[number])
            return None
        except StoppedError:
            ending = self._around.stop() or Ending.CANCELLED
            lost = ending is Ending.LEASE_LOST
            words = "nobody renewed the lease" if lost else "it was cancelled"
            decision = self._decision(ending, words)
        except _TurnBackError as error:
            decision = self._decision(Ending.TURNED_BACK, error.reason, error.was_shown)
        except RoutesChangedError:
            raise
        except RouterError as error:
            decision = self._decision(Ending.TURNED_BACK, f"the router was silent: {error}")
        self._records.keep_decision(decision)
        return decision

    async def _carry_out(self, stage: Stage) -> None:
        words = weights_in_words(stage.routes.weights)
        before = await self._reference(stage) if stage.kind == "bake" else ()
        self._report.show("running", f"moving: {words}")
        self._check_override(self._request.to_revision)
        self._report.tally.add(await self._router.user_counters(self._request.to_revision))
        await self._router.move(stage.routes)
        self._report.restart_clock()
        self._report.note("stage", words)
        if stage.kind == "bake":
            await self._watch(stage, self._judges.after(stage, before))
        elif stage.kind == "shift":
            await self._watch(stage, self._judges.beside(stage))

    async def _watch(self, stage: Stage, judge: Judge) -> None:
        """Look once a second until the stage has shown that the next one may begin."""
        report, request = self._report, self._request
        while True:
            await self._router.hold(stage.routes)
            await self._check_health()
            candidate = await self._router.user_counters(request.to_revision)
            reference = await self._router.user_counters(request.from_revision)
            report.tally.add(candidate)
            if stage.kind == "shift":
                self._history.add(Snapshot(self._around.clock(), reference))
            judge.add(report.seconds_in, candidate, reference)
            judgement = judge.judge()
            report.judged(judgement)
            if judgement.outcome is StageOutcome.ADVANCE:
                report.note("judged", judgement.reason)
                return
            if judgement.outcome is StageOutcome.TURN_BACK:
                raise _TurnBackError(judgement.reason, judgement.was_shown)
            self._show_stage()
            await self._router.pause(LOOK_SECONDS)

    async def _reference(self, stage: Stage) -> Sequence[Snapshot]:
        """What users met before the move: kept, from the steps before, or recorded now."""
        revision, report = self._request.from_revision, self._report
        kept = self._records.reference() or self._history.snapshots()
        wanted = min(HISTORY_SECONDS, stage.minimum_seconds)
        while not kept and report.seconds_in < wanted:
            counters = await self._router.user_counters(revision)
            self._history.add(Snapshot(self._around.clock(), counters))
            left = wanted - report.seconds_in
            words = f"recording what users of {revision} meet before the move: {left:.0f} s left"
            report.show("running", words)
            await self._router.pause(LOOK_SECONDS)
        kept = kept or self._history.snapshots()
        self._records.keep_reference(kept)
        return kept

    def _check_override(self, towards: str) -> None:
        """Routes alone do not tell: by hand they may have been set to what they were."""
        if self._around.override() not in {None, towards}:
            raise RoutesChangedError(f"{self._around.override()} was given the traffic by hand")

    async def _check_health(self) -> None:
        candidate = self._request.to_revision
        if await self._router.unhealthy_seconds(candidate) >= UNHEALTHY_SECONDS:
            raise _TurnBackError(
                f"{candidate} has failed the gateway's health checks for {UNHEALTHY_SECONDS:g} s"
            )

    def _show_stage(self) -> None:
        words = stage_in_words(self._report.stage_progress(), self._request.to_revision)
        judgement = self._report.judgement
        if judgement is not None:
            words = f"{words}; {judgement_in_words(judgement)}"
        self._report.show("running", words)

    # -- back, and the end --------------------------------------------------------------------

    async def _go_back(self, decision: Decision) -> None:
        before = self._request.routes_before
        self._router.go_back()
        back = weights_in_words(before.weights) if before is not None else "no routes, as before"
        words = f"turning back to {back}: {decision.reason}"
        self._report.note("turningBack", words, wasShown=decision.was_shown)
        self._report.show("turningBack", words)
        deadline = self._around.clock() + RETURN_PATIENCE_SECONDS
        while not await self._router.is_healthy(self._request.from_revision):
            if self._around.clock() >= deadline:
                break
            await self._router.pause(POLL_SECONDS)
        self._check_override(self._request.from_revision)
        if before is None:
            await self._router.withdraw()
        else:
            await self._router.move(before)

    async def _drain_what_left(self, decision: Decision | None) -> DrainRecord | None:
        """Drain the revision that takes no traffic any more, if there is one."""
        request = self._request
        now: ServiceRoutes | None
        if decision is None:
            left, now = request.from_revision, request.stages[-1].routes
        else:
            left, now = request.to_revision, request.routes_before
        takes_traffic = now is not None and now.weights.get(left, 0) > 0
        return None if takes_traffic else await self._drain(left)

    async def _drain(self, revision: str) -> DrainRecord | None:
        """Wait for what the revision had begun; None when the router could not be asked."""
        try:
            drained = await drain(
                self._router.plain,
                revision,
                self._request.drain_seconds,
                self._around.sleep,
                lambda message: self._report.show("draining", message),
                self._around.clock,
            )
        except RouterError as error:
            self._report.note("drained", f"the drain of {revision} was not seen: {error}")
            return None
        self._report.note("drained", drained.in_words, openRequests=dict(drained.open_requests))
        return DrainRecord(
            revision=revision,
            seconds=round(drained.seconds, 3),
            open_requests=drained.open_requests,
        )

    async def _count_the_last(self) -> None:
        """What met the candidate between the last look and its last answer."""
        with contextlib.suppress(RouterError):
            counters = await self._router.plain.user_counters(self._request.to_revision)
            self._report.tally.add(counters)

    def _decision(self, ending: Ending, reason: str, was_shown: bool = False) -> Decision:
        return Decision(
            ending=ending,
            reason=reason,
            was_shown=was_shown,
            stage=self._report.number + 1,
            judgement=self._report.judgement,
        )
