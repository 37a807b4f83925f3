"""How often a canary errs, from simulated switches whose truth is known.

`python -m tests.benchmarks.canary_simulated [--runs N] [--only WORDS]`: one JSON line. Rates stand
with one-sided 95% Clopper-Pearson bounds [lower, rate, upper].
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from tests.benchmarks.canary_model import (
    BROKEN,
    BURSTS,
    FAILING,
    FLAKY,
    SAME,
    SLOWER,
    SLOWER_TAIL,
    Behaviour,
    Service,
    beside,
    one_after_the_other,
)
from tests.benchmarks.figure import Measurement
from tests.benchmarks.stacks import say
from tidegate.gate.statistics import lower_bound, upper_bound
from tidegate.spec.traffic import SwitchStrategy
from tidegate.traffic.judgement import AFTER_SECONDS, AfterJudge, BesideJudge
from tidegate.traffic.outcome import Judgement, StageOutcome

RUNS = 3000
STRATEGY = SwitchStrategy.model_validate(
    {
        "strategy": "canary",
        "steps": [{"weight": weight, "seconds": 60} for weight in (5, 25, 50)],
        "bakeSeconds": 60,
    }
)
RATES = (300.0, 60.0)
_CHUNK = 20


@dataclass(frozen=True)
class Kind:
    """A new revision beside an old one."""

    candidate: Behaviour
    reference: Behaviour
    equal: bool
    queueing: tuple[bool, ...] = (True, False)


KINDS: Mapping[str, Kind] = {
    "equal": Kind(SAME, SAME, equal=True),
    "equal, errors in bursts": Kind(BURSTS, BURSTS, equal=True, queueing=(False,)),
    "everything fails": Kind(BROKEN, SAME, equal=False, queueing=(False,)),
    "20% errors": Kind(FLAKY, SAME, equal=False, queueing=(False,)),
    "2% errors": Kind(FAILING, SAME, equal=False, queueing=(False,)),
    "p95 40% slower": Kind(SLOWER_TAIL, SAME, equal=False),
    "everything 40% slower": Kind(SLOWER, SAME, equal=False, queueing=(True,)),
}


@dataclass(frozen=True)
class Ending:
    """How one switch ended. `stage` counts from 1 and is 0 when it went through; `seconds` and
    `requests` are how long the new revision served, and how many users it met."""

    stage: int
    shown: bool
    seconds: float
    requests: int
    errors: int


def run_once(kind: Kind, service: Service, strategy: SwitchStrategy, seed: int) -> Ending:
    """One switch through every stage, or until it turns back."""
    generator = np.random.default_rng([20261122, seed])
    stages = len(strategy.steps) + bool(strategy.bake_seconds)
    seconds, requests, errors = 0.0, 0, 0
    for number in range(1, stages + 1):
        if number <= len(strategy.steps):
            taken, judged = _step(kind, service, strategy, number - 1, seed, generator)
        else:
            taken, judged = _bake(kind, service, strategy, seed, generator)
        seconds += taken
        requests += judged.candidate_requests
        errors += judged.candidate_errors
        if judged.outcome is StageOutcome.TURN_BACK:
            return Ending(number, judged.was_shown, seconds, requests, errors)
    return Ending(0, False, seconds, requests, errors)


def _step(
    kind: Kind,
    service: Service,
    strategy: SwitchStrategy,
    index: int,
    seed: int,
    generator: np.random.Generator,
) -> tuple[float, Judgement]:
    step = strategy.steps[index]
    limit = step.seconds * strategy.patience
    judge = BesideJudge(
        strategy.max_regression,
        strategy.minimum_requests,
        step.seconds,
        limit,
        len(strategy.steps) + bool(strategy.bake_seconds),
        seed,
    )
    snapshots = beside(service, kind.candidate, kind.reference, step.weight, limit + 3.0, generator)
    for seconds, candidate, reference in snapshots:
        judge.add(seconds, candidate, reference)
        judged = judge.judge()
        if judged.outcome is not StageOutcome.UNDECIDED:
            return seconds, judged
    raise AssertionError("a step ends at its limit")


def _bake(
    kind: Kind,
    service: Service,
    strategy: SwitchStrategy,
    seed: int,
    generator: np.random.Generator,
) -> tuple[float, Judgement]:
    before, after = one_after_the_other(
        service,
        kind.candidate,
        kind.reference,
        AFTER_SECONDS,
        strategy.bake_seconds + 3.0,
        generator,
    )
    judge = AfterJudge(
        strategy.max_regression, before, strategy.bake_seconds, len(strategy.steps) + 1, seed
    )
    for seconds, candidate in after:
        judge.add(seconds, candidate, before[-1][1])
        judged = judge.judge()
        if judged.outcome is not StageOutcome.UNDECIDED:
            return seconds, judged
    raise AssertionError("a bake ends in time")


@dataclass(frozen=True)
class Endings:
    """All switches of one kind."""

    found: Sequence[Ending]

    @property
    def turned_back(self) -> int:
        return sum(ending.stage > 0 for ending in self.found)

    @property
    def share(self) -> float:
        return self.turned_back / len(self.found)

    def record(self) -> dict[str, object]:
        runs, back = len(self.found), [ending for ending in self.found if ending.stage]
        stages = Counter((ending.stage, ending.shown) for ending in back)
        record: dict[str, object] = {
            "runs": runs,
            "turnedBack": self.turned_back,
            "bounds95": [
                round(lower_bound(self.turned_back, runs, 0.95), 4),
                round(self.share, 4),
                round(upper_bound(self.turned_back, runs, 0.95), 4),
            ],
            "byStage": {
                f"{stage}, {'shown' if shown else 'in doubt'}": count
                for (stage, shown), count in sorted(stages.items())
            },
        }
        through = [ending.seconds for ending in self.found if not ending.stage]
        if through:
            record["secondsThrough"] = _quantiles(through)
        if back:
            record["secondsUntilTurnedBack"] = _quantiles([each.seconds for each in back])
            record["usersRequests"] = _quantiles([each.requests for each in back])
            record["failedRequests"] = _quantiles([each.errors for each in back])
        return record


def simulate(kind: Kind, service: Service, strategy: SwitchStrategy, runs: int) -> Endings:
    """`runs` independent switches, on every core at lowest priority."""
    # One thread a process: the processes already take every core.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    starts = range(0, runs, _CHUNK)
    with ProcessPoolExecutor(initializer=os.nice, initargs=(19,)) as pool:
        parts = pool.map(
            _run_many,
            [kind] * len(starts),
            [service] * len(starts),
            [strategy] * len(starts),
            [range(start, min(start + _CHUNK, runs)) for start in starts],
        )
        return Endings([ending for part in parts for ending in part])


def measure_canary_simulated(runs: int = RUNS, only: str = "") -> Measurement:
    """Every kind at every rate; the worst share of bad revisions that were turned back."""
    caught, false_alarm = 1.0, 0.0
    detail: dict[str, object] = {}
    for name, kind in KINDS.items():
        for rate in RATES:
            for queueing in kind.queueing:
                words = f"{name}, {rate:g}/s, {'one at a time' if queueing else 'ample'}"
                if only not in words:
                    continue
                endings = simulate(kind, Service(rate, queueing), STRATEGY, runs)
                detail[words] = endings.record()
                say(f"{words}: {detail[words]}")
                if kind.equal:
                    false_alarm = max(false_alarm, endings.share)
                else:
                    caught = min(caught, endings.share)
    return Measurement(
        value=caught,
        unit="share of switches",
        met=caught >= 0.99 and false_alarm <= 0.01,
        goal="bad turned back >= 0.99, equal turned back <= 0.01",
        reference=f"simulated canaries of 5/25/50%, worst kind; equal at worst {false_alarm:.4f}",
        runs=[runs],
        detail=detail,
    )


def _run_many(
    kind: Kind, service: Service, strategy: SwitchStrategy, seeds: Iterable[int]
) -> list[Ending]:
    return [run_once(kind, service, strategy, seed) for seed in seeds]


def _quantiles(values: Sequence[float]) -> dict[str, float]:
    found = np.quantile(values, (0.05, 0.5, 0.95, 1.0))
    return dict(zip(("p5", "p50", "p95", "max"), np.round(found, 1).tolist(), strict=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--only", default="", help="part of a kind's name")
    arguments = parser.parse_args()
    measured = measure_canary_simulated(arguments.runs, arguments.only)
    print(measured.line("canary_simulated"))
    return 0 if measured.met else 1


if __name__ == "__main__":
    sys.exit(main())
