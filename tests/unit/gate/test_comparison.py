"""Candidate beside baseline: what is the same, what is slower, and what cannot be compared."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.unit.gate.builders import make_profile
from tidegate.gate.judging import judge
from tidegate.gate.profile import Profile
from tidegate.gate.samples import BASELINE_ARM, CANDIDATE_ARM, Samples
from tidegate.gate.validity import BaselineSubject, Context
from tidegate.gate.verdict import Outcome, RatioVerdict, Verdict

pytestmark = pytest.mark.unit

SECONDS = 125.0


def profile(**changes: Any) -> Profile:
    fields: dict[str, Any] = {
        "arrival": "poisson",
        "duration_seconds": 120,
        "warm_up_seconds": 5,
        "max_error_rate": 0.01,
        "max_requests": 50_000,
    }
    return make_profile(**(fields | changes))


def arm(
    code: int,
    *,
    factor: float = 1.0,
    seed: int = 1,
    start: float = 0.0,
    stalls: bool = False,
    seconds: float = SECONDS,
) -> Samples:
    """Lognormal service times around 5 ms; stalls hit both arms in the same seconds."""
    generator = np.random.default_rng([seed, code])
    intended = start + np.sort(generator.uniform(0.0, seconds, int(100 * seconds)))
    service = 0.005 * factor * generator.lognormal(0.0, 0.4, intended.size)
    if stalls:
        service *= 1.0 + 2.0 * (np.sin(intended / 7.0) > 0.5)
    sent = intended + 0.0001
    ok = np.ones(intended.size, np.bool_)
    return Samples.of_times(
        intended, sent, sent + service, ok, np.full(intended.size, code, np.int8)
    )


def both(candidate: Samples, baseline: Samples) -> Samples:
    return Samples.concatenate([candidate, baseline])


def ratio(verdict: Verdict, quantile: str) -> RatioVerdict:
    assert verdict.comparison is not None
    return next(part for part in verdict.comparison.quantiles if part.quantile == quantile)


def test_the_same_speed_passes() -> None:
    verdict = judge(both(arm(CANDIDATE_ARM), arm(BASELINE_ARM)), profile())
    assert verdict.outcome is Outcome.PASS
    assert verdict.counts.baseline is not None and verdict.counts.baseline.sent == 12_500
    p50 = ratio(verdict, "p50")
    assert p50.lower is not None and p50.upper is not None
    assert p50.lower < 1.0 < p50.upper < 1.1


def test_a_quarter_slower_fails_although_every_slo_holds() -> None:
    verdict = judge(both(arm(CANDIDATE_ARM, factor=1.25), arm(BASELINE_ARM)), profile())
    assert verdict.outcome is Outcome.FAIL
    assert all(part.outcome is Outcome.PASS for part in verdict.quantiles)
    assert "p50" in verdict.summary and "against the baseline's" in verdict.summary


def test_exactly_on_the_margin_neither_passes_nor_fails() -> None:
    verdict = judge(
        both(arm(CANDIDATE_ARM, factor=1.1), arm(BASELINE_ARM)),
        profile(comparison_margins={"p50": 0.10}),
    )
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert [needed.condition for needed in verdict.needed] == ["p50 against the baseline"]


def test_shared_stalls_cancel() -> None:
    calm = judge(both(arm(CANDIDATE_ARM), arm(BASELINE_ARM)), profile())
    stalled = judge(
        both(arm(CANDIDATE_ARM, stalls=True), arm(BASELINE_ARM, stalls=True)), profile()
    )
    assert ratio(stalled, "p50").outcome is Outcome.PASS
    assert (ratio(stalled, "p50").upper or 9.0) < (ratio(calm, "p50").upper or 9.0) + 0.03


def test_a_constant_difference_is_not_rounded_away() -> None:
    # Without any spread the bounds are as narrow as the bins are wide.
    candidate, baseline = arm(CANDIDATE_ARM), arm(BASELINE_ARM)
    candidate = replace(candidate, done=candidate.sent + 0.0022)
    baseline = replace(baseline, done=baseline.sent + 0.0020)
    verdict = judge(both(candidate, baseline), profile())
    assert ratio(verdict, "p50").outcome is Outcome.INCONCLUSIVE


def test_lag_is_no_part_of_the_comparison() -> None:
    candidate = arm(CANDIDATE_ARM)
    late = replace(candidate, sent=candidate.sent + 0.004, done=candidate.done + 0.004)
    verdict = judge(both(late, arm(BASELINE_ARM)), profile())
    assert ratio(verdict, "p50").outcome is Outcome.PASS


def test_without_margins_the_baseline_is_shown_and_not_judged() -> None:
    verdict = judge(
        both(arm(CANDIDATE_ARM, factor=2.0), arm(BASELINE_ARM)), profile(comparison_margins={})
    )
    assert verdict.outcome is Outcome.PASS
    assert verdict.comparison is not None and verdict.comparison.quantiles == ()


def test_arms_that_ran_one_after_the_other_are_not_compared() -> None:
    verdict = judge(
        both(arm(CANDIDATE_ARM, seconds=60), arm(BASELINE_ARM, start=62.0, seconds=63)), profile()
    )
    assert verdict.outcome is Outcome.INVALID
    assert "not measured at the same time" in verdict.summary


def test_a_baseline_that_fails_itself_is_no_measure() -> None:
    baseline = arm(BASELINE_ARM)
    ok = baseline.ok.copy()
    ok[::20] = False
    verdict = judge(both(arm(CANDIDATE_ARM), replace(baseline, ok=ok)), profile())
    assert verdict.outcome is Outcome.INVALID
    assert "the baseline itself failed" in verdict.summary


def test_a_baseline_that_was_meant_and_is_missing_is_invalid() -> None:
    context = Context(baseline=BaselineSubject("digits-1-00000000", "serves the users"))
    verdict = judge(arm(CANDIDATE_ARM), profile(), context)
    assert verdict.outcome is Outcome.INVALID
    assert "digits-1-00000000" in verdict.summary


def test_errors_of_the_candidate_are_slower_than_anything() -> None:
    candidate = arm(CANDIDATE_ARM)
    ok = candidate.ok.copy()
    ok[::50] = False
    verdict = judge(
        both(replace(candidate, ok=ok), arm(BASELINE_ARM)), profile(max_error_rate=0.05)
    )
    p99 = ratio(verdict, "p99")
    assert (p99.candidate_milliseconds, p99.upper, p99.outcome) == (
        None,
        None,
        Outcome.INCONCLUSIVE,
    )


def test_too_few_blocks_decide_nothing() -> None:
    short = profile(duration_seconds=45, max_error_rate=0.05)
    verdict = judge(both(arm(CANDIDATE_ARM, seconds=50), arm(BASELINE_ARM, seconds=50)), short)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "too few blocks of time" in verdict.summary
