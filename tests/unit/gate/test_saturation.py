"""Saturation as a ratio: simulated servers, samples made by hand, and two real ones."""

import asyncio
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from tests.unit.gate.kserve_fake import FakeServer, Tensors, serving, write_golden_set
from tidegate.gate.cli import app
from tidegate.gate.samples import Samples
from tidegate.gate.saturation import decide, probe_of, saturation_ratio
from tidegate.gate.saturation_plan import (
    Probe,
    Round,
    SaturationPlan,
    SaturationVerdict,
    SideName,
)
from tidegate.gate.saturation_search import Measurement, StoppedError, measure
from tidegate.gate.verdict import Outcome
from tidegate.spec.errors import SpecError

pytestmark = pytest.mark.unit

RUNS = 100
TRIES = 5
"""A generator that was late on a busy machine is to be asked again."""


def simulated(ratio: float, noise: float, seed: int, **changes: Any) -> Measurement:
    """Servers whose capacity varies between probes by `noise`, the standard deviation of its
    logarithm."""
    generator = np.random.default_rng(seed)
    capacity = 40.0 * 10.0 ** generator.uniform()

    def probe(number: int, side: SideName, rate: float) -> Probe:
        limit = capacity * (ratio if side == "candidate" else 1.0)
        limit *= math.exp(generator.normal(0.0, noise))
        return Probe(
            round=number,
            arm=side,
            rate_per_second=rate,
            achieved_per_second=min(rate, limit),
            p95_milliseconds=5.0,
            requests=round(rate),
            errors=0,
            saturated=rate > limit,
        )

    return measure(SaturationPlan(seed=seed, **changes), probe, lambda: 0.0)


def outcomes(ratio: float, noise: float) -> list[Outcome]:
    plan = SaturationPlan()
    return [decide(simulated(ratio, noise, seed), plan).outcome for seed in range(RUNS)]


def test_equal_servers_pass_and_do_not_fail() -> None:
    found = outcomes(1.0, 0.05)
    assert found.count(Outcome.PASS) >= 0.95 * RUNS
    assert Outcome.FAIL not in found


def test_equal_servers_under_much_noise_do_not_fail() -> None:
    assert outcomes(1.0, 0.2).count(Outcome.FAIL) <= 0.01 * RUNS


def test_a_candidate_40_percent_lower_fails() -> None:
    found = outcomes(0.6, 0.1)
    assert found.count(Outcome.FAIL) >= 0.99 * RUNS
    assert Outcome.PASS not in found


def test_a_candidate_on_the_margin_is_mostly_undecided() -> None:
    found = outcomes(0.85, 0.05)
    assert found.count(Outcome.PASS) <= 0.1 * RUNS
    assert found.count(Outcome.INCONCLUSIVE) >= 0.8 * RUNS


def test_grids_shifted_against_each_other_do_not_shift_the_ratio() -> None:
    """0.93 lies between the ratios 1 and 1/1.1 that one grid of rates can tell apart."""
    logs = [math.log(each.ratio) for seed in range(20) for each in simulated(0.93, 0, seed).rounds]
    assert math.exp(float(np.mean(logs))) == pytest.approx(0.93, abs=0.005)


def test_rounds_that_agree_by_chance_leave_the_grid_in_doubt() -> None:
    rounds = [Round(candidate_per_second=100.0, baseline_per_second=100.0)] * 3
    found = saturation_ratio(rounds, 1.1, 0.95)
    assert found.lower < 0.95 < 1.05 < found.upper


def test_first_place_and_rates_are_shared() -> None:
    probes = [each for each in simulated(1.0, 0.0, 1).probes if each.round]
    rates = {
        arm: {each.rate_per_second for each in probes if each.arm == arm}
        for arm in ("candidate", "baseline")
    }
    assert rates["candidate"] == rates["baseline"]
    first = [pair.arm for pair in probes[::2]]
    assert abs(first.count("candidate") - first.count("baseline")) <= SaturationPlan().rounds


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_rate": 30.0}, "does not saturate below 30/s"),
        ({"start_rate": 1900.0, "probe_seconds": 0.02}, "saturates at so low a rate"),
        ({"max_requests": 300}, "300 requests are used up"),
        ({"max_seconds": 1.0}, "1 s are used up"),
    ],
)
def test_limits_end_without_a_decision(changes: dict[str, Any], words: str) -> None:
    found = simulated(1.0, 0.0, 1, **changes)
    decision = decide(found, SaturationPlan(**changes))
    assert decision.outcome is Outcome.INCONCLUSIVE
    assert words in decision.summary
    assert decision.mend


def test_a_late_generator_makes_it_invalid() -> None:
    rounds = [Round(candidate_per_second=100.0, baseline_per_second=100.0)] * 7
    stopped = StoppedError("the generator was late", "less other work", believable=False)
    found = decide(Measurement(rounds=rounds, stopped=stopped), SaturationPlan())
    assert found.outcome is Outcome.INVALID


def test_undecided_says_how_many_rounds_would_decide() -> None:
    rounds = [
        Round(candidate_per_second=candidate, baseline_per_second=100.0)
        for candidate in (80.0, 130.0, 75.0, 110.0)
    ]
    found = decide(Measurement(rounds=rounds), SaturationPlan(rounds=4))
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.mend is not None and found.mend.startswith("--rounds ")
    assert int(found.mend.split()[1].rstrip(",")) > 4


def constant_load(rate: float, latency: NDArray[np.float64] | float) -> Samples:
    intended = np.arange(0.0, 3.0, 1.0 / rate)
    ok = np.ones(intended.size, np.bool_)
    return Samples.of_times(intended, intended, intended + latency, ok)


def probe(samples: Samples, planned: int | None = None) -> Probe:
    planned = len(samples) if planned is None else planned
    return probe_of(samples, planned, SaturationPlan(), 1, "candidate", 100.0)


def test_a_constant_latency_is_no_lower_rate() -> None:
    found = probe(constant_load(100.0, 0.15))
    assert found.achieved_per_second == pytest.approx(100.0, abs=1.0)
    assert found.p95_milliseconds == pytest.approx(150.0)
    assert not found.saturated


def test_a_growing_queue_is_saturated_before_its_p95_is_over_the_limit() -> None:
    growing = constant_load(100.0, np.arange(300) * 0.01 * 0.06)
    found = probe(growing)
    assert found.p95_milliseconds is not None and found.p95_milliseconds < 200.0
    assert found.saturated


def test_a_slow_p95_and_lost_requests_are_saturated() -> None:
    assert probe(constant_load(100.0, 0.25)).saturated
    lost = probe(constant_load(100.0, 0.01), planned=330)
    assert (lost.saturated, lost.errors, lost.p95_milliseconds) == (True, 30, None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rounds", 2),
        ("margin", 0.0),
        ("margin", 1.0),
        ("step", 1.0),
        ("startRate", 1.0),
        ("maxRate", 10.0),
        ("p95Milliseconds", 0.0),
    ],
)
def test_plans_that_cannot_work_are_refused(key: str, value: float) -> None:
    with pytest.raises(SpecError, match=key):
        SaturationPlan.parse({key: value}, "plan")


@dataclass
class OneAtATime(FakeServer):
    """Answers one request after the other, each in `work_seconds`.

    What this process adds, more of it on a busy machine, makes answers late and is no work.
    """

    work_seconds: float = 0.0
    free_at: float = 0.0

    async def infer(self, x: NDArray[Any]) -> tuple[str, Tensors]:
        now = asyncio.get_running_loop().time()
        self.free_at = max(now, self.free_at) + self.work_seconds
        await asyncio.sleep(self.free_at - now)
        return await super().infer(x)


def test_half_the_capacity_is_measured_as_half_and_never_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # the lock of this machine's gates
    write_golden_set(tmp_path / "golden.npz")
    out = tmp_path / "out"
    with (
        serving(OneAtATime(work_seconds=0.008)) as candidate,
        serving(OneAtATime(work_seconds=0.004)) as baseline,
    ):
        arguments = ["saturation", "--target", f"http://{candidate.http_target}"]
        arguments += ["--baseline", f"http://{baseline.http_target}", "--out", str(out)]
        arguments += ["--golden", str(tmp_path / "golden.npz"), "--model", "doubler"]
        arguments += ["--rounds", "3", "--margin", "0.05", "--step", "1.5"]
        arguments += ["--start-rate", "80", "--probe-seconds", "0.4", "--p95-limit", "2000"]
        for _ in range(TRIES):
            result = CliRunner().invoke(app, arguments)
            if result.exit_code != Outcome.INVALID.exit_code:
                break
    # One stall of a busy machine may spoil a round, and three rounds then cannot decide.
    assert result.exit_code in (Outcome.FAIL.exit_code, Outcome.INCONCLUSIVE.exit_code), (
        result.output
    )
    verdict = SaturationVerdict.load(out / "saturation.json")
    assert verdict.outcome.exit_code == result.exit_code
    assert len(verdict.rounds) == 3, verdict.summary
    assert np.median([each.ratio for each in verdict.rounds]) == pytest.approx(0.5, abs=0.25)
    assert "round 3 of 3" in result.output


def test_an_unreachable_server_is_refused(tmp_path: Path) -> None:
    write_golden_set(tmp_path / "golden.npz")
    arguments = ["saturation", "--target", "http://127.0.0.1:1", "--out", str(tmp_path / "out")]
    arguments += ["--baseline", "http://127.0.0.1:1", "--golden", str(tmp_path / "golden.npz")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == Outcome.INVALID.exit_code
    assert "error: target" in result.output
