"""How often the gate errs, from simulated and resampled runs whose truth is known.

`python -m tests.benchmarks.gate_statistics [FIGURE …] [--runs N]`: one JSON line per figure.
Every rate stands with its runs and its one-sided 95% Clopper-Pearson bounds [lower, rate, upper].
"""

import argparse
import sys
from collections.abc import Callable, Mapping

from tests.benchmarks.figure import Measurement
from tests.benchmarks.gate_faults_simulated import FAULTS, promoted
from tests.benchmarks.gate_scenarios import SAME, Rates, Scenario, simulate
from tests.benchmarks.stacks import say
from tidegate.gate.statistics import upper_bound
from tidegate.gate.verdict import Outcome

RUNS = 2000
SLOWER_RUNS = 3000
"""So many that none passed shows a rate of at most a thousandth."""
FAULT_RUNS = 100
SOURCES = ("measured", "recorded:quiet")
"""The goals count here: the model and a recording of a machine that did nothing else."""
DISTURBED = "recorded:digits"
"""Two cores that compiled other things while they were recorded. What must never pass has to be
kept out here as well; how many good releases pass within five minutes only informs."""
ROUGH = "rough"
"""A model much rougher than anything recorded; counts as DISTURBED does."""
ON_MARGIN = {
    "p50": {"p50": 1.10, "p95": 1.10, "p99": 1.10},
    "p95": {"p50": 1.0, "p95": 1.15, "p99": 1.15},
    "p99": {"p50": 1.0, "p95": 1.0, "p99": 1.25},
    "all": {"p50": 1.10, "p95": 1.15, "p99": 1.25},
}
ATTEMPTS = ((None, "whole budget"), (1, "first try"))
AMPLE = {"p50": 2.0, "p95": 2.0, "p99": 2.0}


def measure_same_speed(runs: int = RUNS) -> Measurement:
    """A/A: every SLO at twice the true quantile, all conditions of the profile together."""
    rates = {
        f"{source}, {words}": simulate(Scenario(source, attempt=attempt), runs)
        for source in (*SOURCES, DISTURBED)
        for attempt, words in ATTEMPTS
    }
    worst = min(rate.share(Outcome.PASS) for rate in _deciding(rates))
    false_fail = max(rate.share(Outcome.FAIL) for rate in _deciding(rates))
    return _measurement(
        worst,
        "PASS >= 0.95 and FAIL <= 0.01",
        worst >= 0.95 and false_fail <= 0.01,
        "share of PASS, two arms of one speed, 300 s",
        rates,
    )


def measure_quarter_slower(runs: int = SLOWER_RUNS) -> Measurement:
    """The candidate 25% slower at p50, SLOs ample."""
    slower = {
        "everywhere": dict.fromkeys(SAME, 1.25),
        "p50 only": {"p50": 1.25, "p95": 1.0, "p99": 1.0},
    }
    rates = {
        f"{source}, {words}": simulate(Scenario(source, AMPLE, factors), runs)
        for source in (*SOURCES, DISTURBED)
        for words, factors in slower.items()
    }
    caught = min(rate.share(Outcome.FAIL) for rate in _deciding(rates))
    passed = max(rate.share(Outcome.PASS) for rate in rates.values())
    return _measurement(
        caught,
        "FAIL >= 0.99 and PASS <= 0.001",
        caught >= 0.99 and passed <= 0.001,
        "share of FAIL, candidate 25% slower at p50",
        rates,
    )


def measure_on_margin(runs: int = RUNS) -> Measurement:
    """The true ratio of one quantile, or of all, exactly 1 + margin."""
    rates = {
        f"{source}, {name}": simulate(Scenario(source, AMPLE, factors), runs)
        for source in (*SOURCES, DISTURBED)
        for name, factors in ON_MARGIN.items()
    }
    worst = max(rate.share(Outcome.PASS) for rate in rates.values())
    return _measurement(
        worst, "PASS <= 0.05", worst <= 0.05, "share of PASS, ratio on its margin", rates
    )


def measure_on_slo(runs: int = RUNS) -> Measurement:
    """The true p99 exactly on its SLO, the other SLOs ample."""
    rates = _without_comparison(AMPLE | {"p99": 1.0}, runs)
    worst = max(rate.share(Outcome.PASS) for rate in rates.values())
    return _measurement(
        worst, "PASS <= 0.10", worst <= 0.10, "share of PASS, p99 on its SLO, 300 s", rates
    )


def measure_headroom(runs: int = RUNS) -> Measurement:
    """The SLO at 1.25 times the true p99."""
    rates = _without_comparison(AMPLE | {"p99": 1.25}, runs)
    worst = min(rate.share(Outcome.PASS) for rate in _deciding(rates))
    return _measurement(
        worst, "PASS >= 0.70", worst >= 0.70, "share of PASS, SLO = 1.25 x true p99, 300 s", rates
    )


def measure_faults(runs: int = FAULT_RUNS) -> Measurement:
    """Faults in otherwise good runs: how many are promoted."""
    found = {name: promoted(name, runs) for name in FAULTS}
    total = sum(sum(outcomes.values()) for outcomes in found.values())
    passed = sum(outcomes["PASS"] for outcomes in found.values())
    return Measurement(
        value=passed,
        unit="promotions",
        met=passed == 0,
        goal="0",
        reference=f"{len(FAULTS)} faults in simulated runs",
        runs=[total],
        detail={
            "upper95": round(upper_bound(passed, total, 0.95), 5),
            "outcomes": {name: dict(outcomes) for name, outcomes in found.items()},
        },
    )


FIGURES: Mapping[str, Callable[..., Measurement]] = {
    "gate_same_speed": measure_same_speed,
    "gate_quarter_slower": measure_quarter_slower,
    "gate_on_margin": measure_on_margin,
    "gate_on_slo": measure_on_slo,
    "gate_headroom": measure_headroom,
    "gate_faults_simulated": measure_faults,
}


def _without_comparison(headroom: Mapping[str, float], runs: int) -> dict[str, Rates]:
    return {
        f"{source}, {words}": simulate(Scenario(source, headroom, None, attempt), runs)
        for source in (*SOURCES, DISTURBED, ROUGH)
        for attempt, words in ATTEMPTS
    }


def _deciding(rates: Mapping[str, Rates]) -> list[Rates]:
    return [rate for name, rate in rates.items() if name.partition(", ")[0] in SOURCES]


def _measurement(
    value: float, goal: str, met: bool, reference: str, rates: Mapping[str, Rates]
) -> Measurement:
    return Measurement(
        value=value,
        unit="share of runs",
        met=met,
        goal=goal,
        reference=reference,
        runs=[rate.runs for rate in rates.values()],
        detail={name: rate.record() for name, rate in rates.items()},
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", nargs="*", choices=[*FIGURES, []], metavar="FIGURE")
    parser.add_argument("--runs", type=int, help="runs per scenario instead of the default")
    arguments = parser.parse_args()
    met = True
    for name in arguments.figures or FIGURES:
        say(name)
        measure = FIGURES[name]
        found = measure(arguments.runs) if arguments.runs else measure()
        print(found.line(name), flush=True)
        met = met and found.met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
