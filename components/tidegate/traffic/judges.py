"""Makes the judges of a switch. Loads the statistics, and with them numpy."""

from collections.abc import Sequence

from tidegate.spec.traffic import SwitchStrategy
from tidegate.traffic.conductor_parts import Snapshot
from tidegate.traffic.judgement import AfterJudge, BesideJudge
from tidegate.traffic.outcome import Judge
from tidegate.traffic.plan import Stage


class StageJudges:
    """Judges of one run; `stages` is how many of its stages are judged, which share the error."""

    def __init__(self, strategy: SwitchStrategy, stages: int, seed: int) -> None:
        self._strategy = strategy
        self._stages = stages
        self._seed = seed

    def beside(self, stage: Stage) -> Judge:
        return BesideJudge(
            self._strategy.max_regression,
            self._strategy.minimum_requests,
            stage.minimum_seconds,
            stage.limit_seconds,
            self._stages,
            self._seed,
        )

    def after(self, stage: Stage, before: Sequence[Snapshot]) -> Judge:
        return AfterJudge(
            self._strategy.max_regression,
            [(each.seconds, each.counters) for each in before],
            stage.minimum_seconds,
            self._stages,
            self._seed,
        )
