"""Each verdict from synthetic samples, and each reason not to believe them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.unit.gate.builders import make_profile, make_samples
from tidegate.gate.judging import judge
from tidegate.gate.profile import Profile
from tidegate.gate.samples import ErrorKind, Samples
from tidegate.gate.validity import Context, Problem, ServerComparison, WorkerCounts
from tidegate.gate.verdict import GoldenReport, Outcome, ServerCounts

pytestmark = pytest.mark.unit


def profile(**changes: Any) -> Profile:
    fields: dict[str, Any] = {
        "rate_per_second": 60,
        "duration_seconds": 45,
        "warm_up_seconds": 5,
        "slos": {"p95": 100},
        "max_error_rate": 0.005,
    }
    return make_profile(**(fields | changes))


def golden(**changes: Any) -> GoldenReport:
    fields: dict[str, Any] = {
        "examples": 200,
        "compared": 400,
        "disagreements": 0,
        "unanswered": 0,
        "other_version": 0,
        "complete": True,
        "top1_agreement": 1.0,
        "max_deviation": 0.0,
        "first_difference": None,
    }
    return GoldenReport(**(fields | changes))


def slow_tail(share: float, requests: int = 3000) -> Samples:
    latency = np.full(requests, 0.010)
    latency[np.arange(requests) % round(1 / share) == 0] = 0.200
    return make_samples(latency, requests=requests)


def test_fast_and_right_passes_with_partial_validity() -> None:
    verdict = judge(make_samples(), profile())
    assert verdict.outcome is Outcome.PASS
    assert verdict.validity == "partial"
    assert verdict.counts.judged == 2700
    [p95] = verdict.quantiles
    assert p95.estimate_milliseconds == pytest.approx(10.0)
    assert p95.upper_share < p95.allowed_share


def test_warm_up_is_not_judged() -> None:
    latency = np.full(3000, 0.010)
    latency[:300] = 5.0
    assert judge(make_samples(latency), profile()).outcome is Outcome.PASS


def test_slow_quantile_fails() -> None:
    verdict = judge(slow_tail(0.10), profile())
    assert verdict.outcome is Outcome.FAIL
    assert "p95 200.0 ms, SLO 100 ms" in verdict.summary


def test_latency_counts_from_the_intended_start() -> None:
    samples = make_samples()
    late = replace(samples, sent=samples.intended + 0.2, done=samples.intended + 0.205)
    verdict = judge(late, profile())
    assert verdict.quantiles[0].estimate_milliseconds == pytest.approx(205.0)


def test_quantile_near_its_limit_is_inconclusive_and_says_how_much_more() -> None:
    verdict = judge(slow_tail(1 / 22), profile())
    assert verdict.outcome is Outcome.INCONCLUSIVE
    [advice] = verdict.mend
    assert advice.startswith("the p95 SLO: about") and "s more" in advice


def test_errors_fail_and_count_as_over_every_slo() -> None:
    verdict = judge(make_samples(failed=300), profile())
    assert verdict.outcome is Outcome.FAIL
    assert verdict.error_rate is not None and verdict.error_rate.outcome is Outcome.FAIL
    assert verdict.quantiles[0].over_slo == verdict.error_rate.errors
    assert verdict.errors_by_kind == {"status": 300}


def test_no_answer_at_all_fails() -> None:
    samples = make_samples()
    hung = replace(
        samples,
        done=np.full(3000, np.nan),
        ok=np.zeros(3000, np.bool_),
        kind=np.full(3000, ErrorKind.DEADLINE, np.int8),
    )
    verdict = judge(hung, profile())
    assert verdict.outcome is Outcome.FAIL
    assert verdict.quantiles[0].estimate_milliseconds is None


def test_correlated_errors_need_more_evidence() -> None:
    requests = 3000
    burst, spread = make_samples(), make_samples(failed=5)
    ok = np.ones(requests, np.bool_)
    ok[1000:1005] = False
    burst = replace(burst, ok=ok)
    limits = profile(max_error_rate=0.006)
    assert judge(spread, limits).outcome is Outcome.PASS
    assert judge(burst, limits).outcome is Outcome.INCONCLUSIVE


def test_stopped_early_never_passes() -> None:
    verdict = judge(make_samples(), profile(), Context(stopped_early="for a test"))
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_wrong_golden_answers_fail_even_without_load() -> None:
    wrong = golden(disagreements=3, top1_agreement=0.98, first_difference="example 7: …")
    verdict = judge(Samples.empty(), profile(), Context(golden=wrong, planned=0))
    assert verdict.outcome is Outcome.FAIL
    assert "3 of 400 golden answers are wrong" in verdict.summary
    assert "example 7" in verdict.summary


def test_no_requests_is_invalid() -> None:
    assert judge(Samples.empty(), profile()).outcome is Outcome.INVALID


def test_all_requests_in_the_warm_up_is_invalid() -> None:
    verdict = judge(make_samples(requests=60), profile())
    assert verdict.outcome is Outcome.INVALID
    assert "warm-up" in verdict.summary


@pytest.mark.parametrize(
    ("context", "said"),
    [
        (Context(planned=3100), "3100 requests were planned and 3000 sent"),
        (Context(cpu_seconds=45.0, wall_seconds=50.0), "90% of a core"),
        (Context(changed_files=("/m/model.onnx",)), "model.onnx changed during the run"),
        (
            Context(server=ServerComparison(ServerCounts(success=2999, failure=0), 3000, 3000)),
            "the server counted 2999 successes",
        ),
        (
            Context(server=ServerComparison(ServerCounts(success=3001, failure=0), 3000, 3000)),
            "the server counted 3001 successes",
        ),
        (Context(server=ServerComparison(None, 3000, 3000)), "could not be read"),
        (
            Context(server_restarted=False, servers_gone=("digits-2-a-x",)),
            "digits-2-a-x went during the run",
        ),
        (Context(golden=golden(other_version=400)), "another model or version"),
        (Context(golden=golden(complete=False, unanswered=2)), "2 golden examples"),
        (Context(refusal=Problem("the server is unreachable", "start it")), "unreachable"),
    ],
)
def test_context_that_contradicts_the_samples_is_invalid(context: Context, said: str) -> None:
    verdict = judge(make_samples(), profile(), context)
    assert verdict.outcome is Outcome.INVALID
    assert said in verdict.summary
    assert verdict.mend


def with_rows(samples: Samples, rows: slice, **values: Any) -> Samples:
    arrays = {name: getattr(samples, name).copy() for name in values}
    for name, value in values.items():
        arrays[name][rows] = value
    return replace(samples, **arrays)


FIRST_HUNDRED = slice(0, 100)


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (
            with_rows(make_samples(), FIRST_HUNDRED, sent=np.nan, done=np.nan, ok=False),
            "3000 requests were planned and 2900 sent",
        ),
        (
            with_rows(make_samples(), FIRST_HUNDRED, done=np.nan),
            "100 requests were sent and neither answered nor counted",
        ),
        (
            with_rows(
                make_samples(), FIRST_HUNDRED, done=np.nan, ok=False, kind=ErrorKind.UNFINISHED
            ),
            "100 requests were sent and neither answered nor counted",
        ),
        (with_rows(make_samples(), slice(100, 200), done=0.5), "clock went backwards"),
        (with_rows(make_samples(), FIRST_HUNDRED, done=-1.0), "not negative"),
        (with_rows(make_samples(), FIRST_HUNDRED, sent=np.inf), "no clock shows it"),
        (with_rows(make_samples(), slice(100, 101), intended=1e9), "more than a month"),
        (
            with_rows(make_samples(), FIRST_HUNDRED, ok=False, kind=ErrorKind.OTHER_VERSION),
            "100 answers under load came from another model or version",
        ),
        (
            replace(
                make_samples(), sent=make_samples().intended + 0.05, done=make_samples().done + 1
            ),
            "lag p99 50.0 ms",
        ),
    ],
)
def test_samples_that_contradict_themselves_are_invalid(samples: Samples, said: str) -> None:
    verdict = judge(samples, profile())
    assert verdict.outcome is Outcome.INVALID
    assert said in verdict.summary


def test_counters_of_servers_that_came_leave_the_validity_partial() -> None:
    fewer = ServerCounts(success=2000, failure=0)
    came = Context(server=ServerComparison(fewer, 3000, 3000, "digits-2-a-x came during the run"))

    verdict = judge(make_samples(), profile(), came)

    assert (verdict.outcome, verdict.validity) == (Outcome.PASS, "partial")
    assert any("digits-2-a-x came during the run" in each for each in verdict.reasons)


def test_errors_stand_although_the_server_died_with_its_counters() -> None:
    dead = Context(server=ServerComparison(None, 3000, 2000))
    assert judge(make_samples(failed=1000), profile(), dead).outcome is Outcome.FAIL


def test_full_context_makes_validity_full() -> None:
    context = Context(
        planned=3000,
        golden=golden(),
        server=ServerComparison(ServerCounts(success=3400, failure=0), 3400, 3400),
        cpu_seconds=5.0,
        wall_seconds=50.0,
        changed_files=(),
        clock_steps_seconds=0.0,
        server_restarted=False,
        workers=WorkerCounts(started=1, finished=1),
    )
    verdict = judge(make_samples(), profile(), context)
    assert (verdict.outcome, verdict.validity) == (Outcome.PASS, "full")
