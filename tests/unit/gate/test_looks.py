"""Early looks may only fail; the end alone passes; the golden rule and its bound."""

from typing import Any

import numpy as np
import pytest

from tests.unit.gate.builders import make_profile, make_samples
from tidegate.gate.early_stop import hopeless
from tidegate.gate.golden_rule import golden_outcome, with_bounds
from tidegate.gate.judging import judge
from tidegate.gate.looks import bounds_so_far, judge_look
from tidegate.gate.profile import Profile
from tidegate.gate.samples import Samples
from tidegate.gate.tally import Tally
from tidegate.gate.validity import Context
from tidegate.gate.verdict import GoldenReport, Outcome

pytestmark = pytest.mark.unit


def profile(**changes: Any) -> Profile:
    fields: dict[str, Any] = {
        "rate_per_second": 60,
        "duration_seconds": 60,
        "warm_up_seconds": 0,
        "slos": {"p95": 100},
        "looks_seconds": (15, 30),
    }
    return make_profile(**(fields | changes))


def slow_until(seconds: float) -> Samples:
    latency = np.full(3600, 0.010)
    latency[: int(seconds * 60)] = 0.200
    return make_samples(latency, requests=3600)


def tally_of(samples: Samples) -> Tally:
    tally = Tally(profile())
    tally.add(samples)
    return tally


def test_early_look_never_passes() -> None:
    look = judge_look(tally_of(make_samples(requests=3600)), profile(), 30)
    assert look.outcome is Outcome.INCONCLUSIVE
    assert look.requests == 1800
    assert all(condition.outcome is not Outcome.FAIL for condition in look.conditions)


def test_early_look_fails_on_what_it_has_seen() -> None:
    look = judge_look(tally_of(slow_until(60)), profile(), 15)
    assert look.outcome is Outcome.FAIL
    assert look.reason.startswith("look at 15 s: p95")


def test_looks_and_conditions_share_the_error_budget() -> None:
    look = judge_look(tally_of(make_samples(requests=3600)), profile(), 30)
    # Three looks, each at one SLO and the error rate.
    assert look.confidence == pytest.approx(1.0 - 0.05 / 6)


def test_a_look_that_failed_stands_although_the_rest_was_fast() -> None:
    limits = profile(slos={"p50": 100}, looks_seconds=(15,))
    verdict = judge(slow_until(16), limits)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.quantiles[0].estimate_milliseconds == pytest.approx(10.0)
    assert [look.outcome for look in verdict.looks] == [Outcome.FAIL, Outcome.INCONCLUSIVE]
    assert verdict.summary.startswith("FAIL: look at 15 s")


def test_every_look_is_in_the_verdict() -> None:
    verdict = judge(make_samples(requests=3600), profile())
    assert [look.seconds for look in verdict.looks] == [15, 30, pytest.approx(60, abs=0.1)]
    assert verdict.looks[-1].outcome is Outcome.PASS


def test_bounds_so_far_name_every_condition() -> None:
    found = bounds_so_far(tally_of(make_samples(requests=3600)), profile())
    assert [(bound.name, bound.kind) for bound in found] == [
        ("errorRate", "errorRate"),
        ("p95", "slo"),
    ]


def test_load_stops_early_only_when_errors_are_far_beyond_the_limit() -> None:
    def told(samples: Samples) -> str | None:
        limits = make_profile(warm_up_seconds=0, max_error_rate=0.02)
        tally = Tally(limits)
        tally.add(samples)
        return hopeless(tally, limits)

    assert told(make_samples(requests=90, failed=90)) is None
    assert told(make_samples(requests=200, failed=15)) is None
    assert "200 of the first 200" in (told(make_samples(requests=200, failed=200)) or "")


def report(**changes: Any) -> GoldenReport:
    fields: dict[str, Any] = {
        "examples": 1000,
        "compared": 2000,
        "disagreements": 0,
        "unanswered": 0,
        "other_version": 0,
        "complete": True,
        "top1_agreement": 1.0,
        "max_deviation": 0.0,
        "first_difference": None,
        "top1_examples": 1000,
        "top1_agreeing": 1000,
    }
    return GoldenReport(**(fields | changes))


@pytest.mark.parametrize(
    ("agreeing", "wrong", "disagreements", "least", "outcome"),
    [
        (1000, 0, 0, None, Outcome.PASS),
        (1000, 1, 1, None, Outcome.FAIL),
        (1000, 40, 40, 0.99, Outcome.PASS),
        (996, 40, 40, 0.99, Outcome.PASS),
        (992, 40, 40, 0.99, Outcome.INCONCLUSIVE),
        (970, 40, 40, 0.99, Outcome.FAIL),
        (1000, 0, 1, 0.99, Outcome.FAIL),
    ],
)
def test_golden_labels_decide_by_their_bound(
    agreeing: int, wrong: int, disagreements: int, least: float | None, outcome: Outcome
) -> None:
    golden = report(top1_agreeing=agreeing, wrong_values=wrong, disagreements=disagreements)
    limits = profile(min_top1_agreement=least)
    assert golden_outcome(golden, limits, 0.95) is outcome
    if outcome is not Outcome.PASS:
        verdict = judge(make_samples(requests=3600), limits, Context(golden=golden))
        assert verdict.outcome is outcome
        assert "golden answers are wrong" in verdict.summary


def test_agreement_is_bounded_as_a_share() -> None:
    bounded = with_bounds(report(examples=299, top1_examples=299, top1_agreeing=299), 0.95)
    assert bounded.top1_lower == pytest.approx(0.99, abs=1e-4)
    assert bounded.top1_upper == 1.0
