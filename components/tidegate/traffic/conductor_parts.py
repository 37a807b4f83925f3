"""What a conductor works with: judges, records, and how it waits and is told to stop."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

from tidegate.traffic.outcome import Judge
from tidegate.traffic.plan import Stage
from tidegate.traffic.router import LatencyBin, UserCounters
from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.switch_documents import Decision, Ending, SwitchProgress, SwitchRequest


@dataclass(frozen=True)
class Snapshot:
    """What users of one revision had met at a moment, in seconds of the conductor's clock."""

    seconds: float
    counters: UserCounters


def snapshots(data: Iterable[Mapping[str, Any]]) -> tuple[Snapshot, ...]:
    """Out of what `dataclasses.asdict` made of them."""
    return tuple(_snapshot(each) for each in data)


def _snapshot(data: Mapping[str, Any]) -> Snapshot:
    counters = data["counters"]
    latency = tuple(LatencyBin(**each) for each in counters["latency"])
    return Snapshot(data["seconds"], UserCounters(**{**counters, "latency": latency}))


class Judges(Protocol):
    """Makes the judge of each stage."""

    def beside(self, stage: Stage) -> Judge:
        """For a stage in which both revisions serve."""

    def after(self, stage: Stage, before: Sequence[Snapshot]) -> Judge:
        """For a stage that follows the move; `before` is the former revision until then."""


class Records(Protocol):
    """Where a conductor writes what it does. Decisions and references outlive its process."""

    def note(self, event: str, message: str, **details: object) -> None:
        """Append to the journal."""

    def show(self, progress: SwitchProgress) -> None:
        """Replace what is shown of the run."""

    def keep_decision(self, decision: Decision) -> None: ...

    def keep_reference(self, before: Sequence[Snapshot]) -> None: ...

    def reference(self) -> Sequence[Snapshot]:
        """What `keep_reference` was last given; empty when nothing was kept."""


@dataclass(frozen=True)
class Surroundings:
    """Time, and whether the switch is still wanted.

    `stop` says CANCELLED, LEASE_LOST or None; `override` is the revision to which somebody has
    sent the traffic by hand.
    """

    stop: Callable[[], Ending | None]
    override: Callable[[], str | None]
    sleep: Callable[[float], Awaitable[None]]
    clock: Callable[[], float]


@dataclass(frozen=True)
class Position:
    """Where a run begins or goes on: a stage (from 0), what was decided, what was counted."""

    stage: int = 0
    resumed: bool = False
    decision: Decision | None = None
    candidate_requests: int = 0
    candidate_errors: int = 0

    @classmethod
    def after(cls, progress: SwitchProgress | None, decision: Decision | None) -> Self:
        """Where a run goes on of which these were written down; without progress it begins."""
        if progress is None:
            return cls()
        return cls(
            stage=progress.stage.index - 1 if progress.stage is not None else 0,
            resumed=True,
            decision=decision,
            candidate_requests=progress.candidate_requests,
            candidate_errors=progress.candidate_errors,
        )

    def possibly_in_force(self, request: SwitchRequest) -> Sequence[ServiceRoutes | None]:
        """What this run, or the killed process that it goes on for, may have set last.

        None stands for no routes.
        """
        before, stages = request.routes_before, request.stages
        if not self.resumed:
            return (before,)
        previous = stages[self.stage - 1].routes if self.stage else before
        found = (stages[self.stage].routes, previous)
        return (*found, before) if self.decision is not None else found
