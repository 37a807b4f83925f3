"""Shapes of arrivals become rates without a gap, or are refused."""

from typing import Any

import pytest

from tests.unit.gate.builders import make_profile
from tidegate.gate.profile import Profile, check_baseline, parse_profile
from tidegate.gate.shape import RatePiece
from tidegate.spec.errors import SpecError

pytestmark = pytest.mark.unit


def shaped(shape: dict[str, Any] | None, **changes: Any) -> Profile:
    content = make_profile().model_dump(by_alias=True) | {"shape": shape} | changes
    return parse_profile(content, "test.yaml")


def test_without_a_shape_the_rate_stays() -> None:
    assert shaped(None).rate_pieces() == (RatePiece(0.0, 2.3, 100.0),)


def test_steps_follow_the_warm_up_and_begin_again() -> None:
    steps = [{"seconds": 0.5, "ratePerSecond": 50}, {"seconds": 1, "ratePerSecond": 200}]
    profile = shaped({"kind": "stepped", "steps": steps})
    assert [(piece.start_seconds, piece.rate_per_second) for piece in profile.rate_pieces()] == [
        (0.0, 100.0),
        (pytest.approx(0.3), 50.0),
        (pytest.approx(0.8), 200.0),
        (pytest.approx(1.8), 50.0),
    ]
    assert profile.rate_pieces()[-1].end_seconds == profile.total_seconds
    assert profile.expected_requests == pytest.approx(30 + 25 + 200 + 25)


def test_bursts_come_at_the_end_of_a_period() -> None:
    profile = shaped(
        {"kind": "burst", "everySeconds": 1, "burstSeconds": 0.1, "burstRatePerSecond": 500}
    )
    rates = [piece.rate_per_second for piece in profile.rate_pieces()]
    assert rates == [100.0, 500.0, 100.0, 500.0]
    assert profile.expected_judged_requests == pytest.approx(2 * (90 + 50))


def test_recorded_counts_are_replayed_bin_by_bin() -> None:
    profile = shaped({"kind": "replayed", "binSeconds": 0.5, "requests": [40, 0, 60, 60]})
    assert [piece.rate_per_second for piece in profile.rate_pieces()] == [100, 80, 0, 120]
    assert profile.expected_judged_requests == pytest.approx(160)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ({"kind": "wave"}, "shape"),
        ({"kind": "stepped", "steps": []}, "shape"),
        ({"kind": "stepped", "steps": [{"seconds": 1, "ratePerSecond": -1}]}, "not negative"),
        ({"kind": "stepped", "steps": [{"seconds": 0, "ratePerSecond": 1}]}, "steps.0.seconds"),
        ({"kind": "stepped", "steps": [{"seconds": 1, "ratePerSecond": 0}]}, "no step sends"),
        (
            {"kind": "burst", "everySeconds": 1, "burstSeconds": 1, "burstRatePerSecond": 5},
            "never end",
        ),
        ({"kind": "replayed", "requests": [0, 0]}, "every bin is empty"),
        ({"kind": "replayed", "requests": [1, -1]}, "not negative"),
        ({"kind": "replayed", "binSeconds": 1e-9, "requests": [1]}, "below 0.01"),
        ({"kind": "replayed", "requests": [1]}, "cannot decide what is asked"),
    ],
)
def test_shape_that_cannot_work_is_refused(shape: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as refused:
        shaped(shape)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"looksSeconds": [1, 1]}, "looksSeconds"),
        ({"looksSeconds": [3]}, "the end is a look already"),
        ({"looksSeconds": [0]}, "looksSeconds"),
        ({"comparisonMargins": {"p50": 0}}, "comparisonMargins.p50"),
        ({"comparisonMargins": {"median": 0.1}}, "p50, p95 or p99"),
        ({"minTop1Agreement": 1}, "minTop1Agreement"),
        ({"maxSeconds": 2}, "maxSeconds"),
    ],
)
def test_setting_that_cannot_work_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as refused:
        shaped(None, **change)
    assert said in str(refused.value)


def test_comparison_needs_a_minute() -> None:
    with pytest.raises(SpecError, match="at least 60 seconds"):
        check_baseline(shaped(None))
    check_baseline(shaped(None, comparisonMargins={}))
    check_baseline(shaped(None, durationSeconds=60))
