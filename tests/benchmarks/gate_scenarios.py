"""Runs with a known truth, judged as a gate would judge them; counts of their outcomes."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.benchmarks.gate_models import (
    MACHINES,
    Truth,
    arm_times,
    samples_of,
    shared_speed,
    stretch,
    truth,
)
from tests.benchmarks.gate_recordings import recorded_truth, resampled
from tests.benchmarks.stacks import say
from tidegate.gate.judging import judge
from tidegate.gate.profile import Profile, load_profile, parse_profile
from tidegate.gate.samples import BASELINE_ARM, CANDIDATE_ARM, Samples
from tidegate.gate.statistics import attempt_confidence, lower_bound, upper_bound
from tidegate.gate.validity import Context
from tidegate.gate.verdict import Outcome

STANDARD = Path(__file__).resolve().parents[2] / "loadtests" / "profiles" / "standard.yaml"
SAME = {"p50": 1.0, "p95": 1.0, "p99": 1.0}
_CHUNK = 20


@dataclass(frozen=True)
class Scenario:
    """Runs under the standard profile with SLOs at `headroom` times the true quantiles.

    `source` names a machine or, with "recorded:" before it, a recording. `factors` says how much
    slower than the baseline the candidate is by quantile; None leaves the baseline out.
    `attempt` is the try whose part of the error budget is used; None uses the whole.
    """

    source: str
    headroom: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(SAME, 2.0))
    factors: Mapping[str, float] | None = field(default_factory=lambda: dict(SAME))
    attempt: int | None = None

    def truth(self, rate: float) -> Truth:
        kind, _, name = self.source.rpartition(":")
        return recorded_truth(name) if kind else truth(MACHINES[name], rate)


def profile_of(scenario: Scenario) -> Profile:
    """Standard, with SLOs that are a multiple of the candidate's true quantiles."""
    standard = load_profile(STANDARD)
    true = scenario.truth(standard.rate_per_second).latency
    factors = scenario.factors or SAME
    slos = {
        name: 1000.0 * true[name] * factors[name] * headroom
        for name, headroom in scenario.headroom.items()
    }
    return parse_profile(standard.model_dump() | {"slos": slos}, "scenario")


def run_once(scenario: Scenario, profile: Profile, seed: int) -> Outcome:
    generator = np.random.default_rng([profile.seed, seed])
    samples = make_samples(scenario, profile, generator)
    confidence = None
    if scenario.attempt is not None:
        confidence = attempt_confidence(profile.confidence, scenario.attempt)
    return judge(samples, profile, Context(confidence=confidence)).outcome


def make_samples(scenario: Scenario, profile: Profile, generator: np.random.Generator) -> Samples:
    """One run, both arms when the scenario compares."""
    rate, seconds = profile.rate_per_second, profile.total_seconds
    kind, _, name = scenario.source.rpartition(":")
    if kind:
        arms = resampled(name, seconds, generator)
    else:
        machine = MACHINES[name]
        shared = shared_speed(machine, seconds, generator)
        arms = [arm_times(machine, rate, seconds, shared, generator) for _ in range(2)]
    if scenario.factors is None:
        return samples_of(*arms[0], CANDIDATE_ARM)
    intended, sent, done = arms[0]
    done = stretch(sent, done, scenario.truth(rate).service, dict(scenario.factors))
    return Samples.concatenate(
        [samples_of(intended, sent, done, CANDIDATE_ARM), samples_of(*arms[1], BASELINE_ARM)]
    )


@dataclass(frozen=True)
class Rates:
    """How often a scenario ended how, with one-sided 95% Clopper-Pearson bounds."""

    outcomes: Counter[str]

    @property
    def runs(self) -> int:
        return self.outcomes.total()

    def share(self, outcome: Outcome) -> float:
        return self.outcomes[outcome] / self.runs

    def at_most(self, outcome: Outcome) -> float:
        return upper_bound(self.outcomes[outcome], self.runs, 0.95)

    def at_least(self, outcome: Outcome) -> float:
        return lower_bound(self.outcomes[outcome], self.runs, 0.95)

    def record(self) -> dict[str, object]:
        bounds = {
            outcome.value: [
                round(self.at_least(outcome), 4),
                round(self.share(outcome), 4),
                round(self.at_most(outcome), 4),
            ]
            for outcome in (Outcome.PASS, Outcome.FAIL)
        }
        return {"runs": self.runs, "outcomes": dict(self.outcomes), "bounds95": bounds}


def simulate(scenario: Scenario, runs: int) -> Rates:
    """`runs` independent runs, on every core at lowest priority."""
    # One thread a process: the processes already take every core.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    profile = profile_of(scenario)
    starts = range(0, runs, _CHUNK)
    with ProcessPoolExecutor(initializer=os.nice, initargs=(19,)) as pool:
        parts = pool.map(
            _run_many,
            [scenario] * len(starts),
            [profile] * len(starts),
            [range(start, min(start + _CHUNK, runs)) for start in starts],
        )
        rates = Rates(sum(parts, Counter()))
    say(f"{scenario}: {rates.record()}")
    return rates


def _run_many(scenario: Scenario, profile: Profile, seeds: Iterable[int]) -> Counter[str]:
    return Counter(run_once(scenario, profile, seed).value for seed in seeds)
