"""What a conductor needs, without a data plane, without files and without waiting."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tidegate.spec.traffic import CanaryStep, SwitchStrategy
from tidegate.traffic.conductor import Conductor
from tidegate.traffic.conductor_parts import Position, Snapshot, Surroundings
from tidegate.traffic.outcome import Judge, Judgement, StageOutcome
from tidegate.traffic.plan import Stage, plan
from tidegate.traffic.router import RouterError, RoutesChangedError, UserCounters
from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.switch_documents import (
    Decision,
    Ending,
    SwitchOutcome,
    SwitchProgress,
    SwitchRequest,
)

OLD, NEW = "digits-1-aaaaaaaa", "digits-2-bbbbbbbb"
BEFORE = ServiceRoutes("digits", ("digits",), {OLD: 100}, 30)
TARGET = ServiceRoutes("digits", ("digits",), {NEW: 100, OLD: 0}, 30)
CANARY = SwitchStrategy(
    strategy="canary",
    steps=(CanaryStep(weight=10, seconds=20), CanaryStep(weight=50, seconds=20)),
)
ADVANCE, TURN_BACK, UNDECIDED = (
    StageOutcome.ADVANCE,
    StageOutcome.TURN_BACK,
    StageOutcome.UNDECIDED,
)


class FakeRouter:
    """Routes in memory. Every revision answers `requests_a_look` more at every look."""

    def __init__(self, routes: ServiceRoutes | None = BEFORE) -> None:
        self.routes = routes
        self.applied: list[Mapping[str, int]] = []
        self.files_are_whole = True
        self.silent_until: float = 0
        self.answers_to_lose = 0
        self.unhealthy: set[str] = set()
        self.active: dict[str, int] = {}
        self.requests_a_look = 100
        self.clock: Callable[[], float] = lambda: 0.0
        self.served: dict[str, int] = {}

    def _answer(self) -> None:
        if self.clock() < self.silent_until:
            raise RouterError("no answer")

    async def observe(self, service: str) -> ServiceRoutes | None:
        self._answer()
        return self.routes if self.files_are_whole else None

    async def apply(self, routes: ServiceRoutes, replacing: ServiceRoutes | None = None) -> None:
        self._answer()
        if replacing is not None and replacing != self.routes:
            raise RoutesChangedError("somebody else set other routes")
        self.routes, self.files_are_whole = routes, True
        self.applied.append(dict(routes.weights))
        if self.answers_to_lose:
            self.answers_to_lose -= 1
            raise RouterError("it was written, and the answer was lost")

    async def withdraw(self, service: str) -> None:
        self._answer()
        self.routes = None

    async def is_healthy(self, revision: str) -> bool:
        self._answer()
        return revision not in self.unhealthy

    async def active_requests(self, revision: str) -> int:
        self._answer()
        return self.active.get(revision, 0)

    async def open_requests(self, revision: str) -> Mapping[str, int]:
        return {"http": self.active.get(revision, 0), "grpc": 0}

    async def user_counters(self, revision: str) -> UserCounters:
        self._answer()
        self.served[revision] = self.served.get(revision, 0) + self.requests_a_look
        return UserCounters(self.served[revision], 0, 0, ())


class ScriptedJudge:
    """Says one outcome after the other; the last one for ever."""

    def __init__(self, script: Sequence[StageOutcome], was_shown: bool) -> None:
        self._script = list(script)
        self._was_shown = was_shown
        self.seconds: list[float] = []

    def add(self, seconds: float, candidate: UserCounters, reference: UserCounters) -> None:
        self.seconds.append(seconds)

    def judge(self) -> Judgement:
        outcome = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        return Judgement(
            outcome, f"said {outcome}", (), 1000, 1000, 20, 0, was_shown=self._was_shown
        )


class ScriptedJudges:
    """One script per judged stage, in their order."""

    def __init__(self, *scripts: Sequence[StageOutcome], was_shown: bool = False) -> None:
        self._scripts = list(scripts)
        self._was_shown = was_shown
        self.made: list[ScriptedJudge] = []
        self.before: Sequence[Snapshot] = ()

    def beside(self, stage: Stage) -> Judge:
        self.made.append(ScriptedJudge(self._scripts.pop(0), self._was_shown))
        return self.made[-1]

    def after(self, stage: Stage, before: Sequence[Snapshot]) -> Judge:
        self.before = before
        return self.beside(stage)


class MemoryRecords:
    """Records in memory."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self.shown: list[SwitchProgress] = []
        self.decision: Decision | None = None
        self.kept: Sequence[Snapshot] = ()

    def note(self, event: str, message: str, **details: object) -> None:
        self.events.append((event, message))

    def show(self, progress: SwitchProgress) -> None:
        self.shown.append(progress)

    def keep_decision(self, decision: Decision) -> None:
        self.decision = decision

    def keep_reference(self, before: Sequence[Snapshot]) -> None:
        self.kept = before

    def reference(self) -> Sequence[Snapshot]:
        return self.kept


@dataclass
class Scene:
    """A switch from OLD to NEW whose time passes only while the conductor sleeps."""

    judges: ScriptedJudges
    strategy: SwitchStrategy = CANARY
    target: ServiceRoutes = TARGET
    before: ServiceRoutes | None = BEFORE
    from_revision: str = OLD
    router: FakeRouter = field(default_factory=FakeRouter)
    records: MemoryRecords = field(default_factory=MemoryRecords)
    position: Position = field(default_factory=Position)
    at: dict[float, Callable[[], object]] = field(default_factory=dict)
    """What happens once that many seconds have passed."""
    stop: Ending | None = None
    override: str | None = None
    now: float = 0.0

    @property
    def request(self) -> SwitchRequest:
        return SwitchRequest(
            service="digits",
            run=1,
            from_revision=self.from_revision,
            to_revision=NEW,
            routes_before=self.before,
            stages=plan(self.before, self.target, self.strategy, served_before=False),
            strategy=self.strategy,
            drain_seconds=5,
            lease_seconds=15,
            state_folder="/state",
        )

    async def run(self) -> SwitchOutcome:
        self.router.clock = lambda: self.now
        around = Surroundings(
            lambda: self.stop, lambda: self.override, self._sleep, lambda: self.now
        )
        conductor = Conductor(
            self.request, self.router, self.judges, self.records, around, self.position
        )
        return await conductor.run()

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds
        assert self.now < 3600, "the conductor does not end"
        for moment in sorted(each for each in self.at if each <= self.now):
            self.at.pop(moment)()

    def route_by_hand(self, weights: Mapping[str, int]) -> None:
        assert self.router.routes is not None
        self.router.routes = replace(self.router.routes, weights=weights)
