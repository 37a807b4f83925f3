"""What a conductor tells while it works: its journal, its progress, its outcome."""

from collections.abc import Callable

from tidegate.gate.clock import utc_now
from tidegate.traffic.conductor_parts import Position, Records
from tidegate.traffic.outcome import Judgement
from tidegate.traffic.plan import Stage
from tidegate.traffic.switch_documents import (
    Decision,
    DrainRecord,
    JudgementRecord,
    StageProgress,
    State,
    SwitchOutcome,
    SwitchProgress,
    SwitchRequest,
)
from tidegate.traffic.user_watch import CandidateTally


class SwitchReport:
    """Knows where the run is, what was judged last and how many users met the candidate."""

    def __init__(
        self,
        request: SwitchRequest,
        records: Records,
        clock: Callable[[], float],
        position: Position,
    ) -> None:
        self._request = request
        self._records = records
        self._clock = clock
        self.number = position.stage
        self.tally = CandidateTally(position.candidate_requests, position.candidate_errors)
        self.judgement: JudgementRecord | None = None
        self._began = clock()
        self._began_at = utc_now()

    @property
    def stage(self) -> Stage:
        return self._request.stages[self.number]

    @property
    def seconds_in(self) -> float:
        """Since `begin` or `restart_clock`."""
        return self._clock() - self._began

    def begin(self, number: int) -> None:
        self.number = number
        self.judgement = None
        self.restart_clock()

    def restart_clock(self) -> None:
        self._began = self._clock()
        self._began_at = utc_now()

    def judged(self, judgement: Judgement) -> None:
        self.judgement = JudgementRecord.of(judgement)

    def note(self, event: str, message: str, **details: object) -> None:
        """Write to the journal: run, place, and the numbers of the last judgement."""
        judgement = self.judgement
        if judgement is not None:
            details["judgement"] = judgement.model_dump(mode="json", by_alias=True)
        self._records.note(
            event,
            message,
            run=self._request.run,
            step=self.number + 1,
            weights=dict(self.stage.routes.weights),
            candidateRequests=self.tally.requests,
            candidateErrors=self.tally.errors,
            **details,
        )

    def show(self, state: State, message: str) -> None:
        """Replace what is shown of the run."""
        self._records.show(
            SwitchProgress(
                service=self._request.service,
                run=self._request.run,
                from_revision=self._request.from_revision,
                to_revision=self._request.to_revision,
                state=state,
                stage=self.stage_progress(),
                judgement=self.judgement,
                candidate_requests=self.tally.requests,
                candidate_errors=self.tally.errors,
                message=message,
            )
        )

    def stage_progress(self) -> StageProgress:
        return StageProgress(
            index=self.number + 1,
            of=len(self._request.stages),
            kind=self.stage.kind,
            weights=dict(self.stage.routes.weights),
            started_at=self._began_at,
            minimum_seconds=self.stage.minimum_seconds,
            limit_seconds=self.stage.limit_seconds,
            seconds_in=round(self.seconds_in, 1),
        )

    def outcome(self, decision: Decision, drained: DrainRecord | None) -> SwitchOutcome:
        """The run's outcome; written down and shown as well."""
        request = self._request
        self.note(decision.ending, decision.reason, wasShown=decision.was_shown)
        self.show(decision.ending.value, decision.reason)
        return SwitchOutcome(
            service=request.service,
            run=request.run,
            from_revision=request.from_revision,
            to_revision=request.to_revision,
            ending=decision.ending,
            reason=decision.reason,
            was_shown=decision.was_shown,
            stage=decision.stage,
            of=len(request.stages),
            judgement=decision.judgement,
            candidate_requests=self.tally.requests,
            candidate_errors=self.tally.errors,
            drained=drained,
            at=utc_now(),
        )
