import math

import pytest

from tidegate.traffic.outcome import ConditionJudgement, Judgement, StageOutcome
from tidegate.traffic.switch_documents import JudgementRecord, StageProgress
from tidegate.traffic.switch_words import judgement_in_words, stage_in_words, weights_in_words

pytestmark = pytest.mark.unit

NEW, OLD = "digits-2-bbbbbbbb", "digits-1-aaaaaaaa"


def stage(seconds_in: float, kind: str = "shift", weight: int = 5) -> StageProgress:
    return StageProgress.model_validate(
        {
            "index": 2,
            "of": 4,
            "kind": kind,
            "weights": {NEW: weight, OLD: 100 - weight},
            "startedAt": "2026-11-22T03:12:00Z",
            "minimumSeconds": 60,
            "limitSeconds": 300,
            "secondsIn": seconds_in,
        }
    )


def test_weights_leave_out_who_takes_nothing() -> None:
    assert weights_in_words({NEW: 5, OLD: 95, "digits-0-cccccccc": 0}) == (
        f"95% to {OLD}, 5% to {NEW}"
    )


@pytest.mark.parametrize(
    ("seconds_in", "words"),
    [(12, ": 48 s left"), (75, ": 75 s, turns back in 225 s unless it is shown good")],
)
def test_a_step_says_how_long_it_takes_and_what_happens_then(seconds_in: int, words: str) -> None:
    assert stage_in_words(stage(seconds_in), NEW) == f"step 2 of 4, 5% to {NEW}{words}"


def test_a_bake_is_called_one() -> None:
    assert stage_in_words(stage(12, "bake", 100), NEW) == f"step 2 of 4, bake of {NEW}: 48 s left"


def test_bounds_are_shown_beside_their_limits_and_unknown_ones_are_none() -> None:
    conditions = (
        ConditionJudgement("errorRate", 0.002, -0.001, 0.004, 0.01, StageOutcome.ADVANCE),
        ConditionJudgement("p95", 1.04, None, math.inf, 1.25, StageOutcome.UNDECIDED),
    )
    judgement = Judgement(StageOutcome.UNDECIDED, "so far", conditions, 800, 1900, 3, 4)

    record = JudgementRecord.of(judgement)

    assert record.conditions[1].upper is None
    assert judgement_in_words(record) == (
        "800 requests with 3 errors, former 1900 with 4; "
        "error rate +0.20% (-0.10% to +0.40%, limit +1.00%); p95 x1.04 (? to ?, limit x1.25)"
    )
