"""Rates, errors and quantiles between two looks at cumulative counters."""

import pytest

from tidegate.traffic.router import LatencyBin, UserCounters
from tidegate.traffic.user_window import user_window

pytestmark = pytest.mark.unit


def counters(requests: int, errors: int, *bins: tuple[float, float, int]) -> UserCounters:
    return UserCounters(requests, errors, 0, tuple(LatencyBin(*each) for each in bins))


def test_only_what_was_added_counts() -> None:
    before = counters(100, 1, (0.010, 0.001, 50), (0.020, 0.001, 49))
    after = counters(200, 6, (0.010, 0.001, 50), (0.020, 0.001, 49), (0.100, 0.010, 95))

    window = user_window(10.0, before, after)

    assert (window.requests, window.errors) == (100, 5)
    assert window.requests_per_second == 10
    assert window.error_share == pytest.approx(0.05)
    assert window.p50_milliseconds == pytest.approx(105, abs=0.2)
    assert 109 < (window.p99_milliseconds or 0) <= 110


def test_a_quantile_lies_in_the_bin_that_holds_its_rank() -> None:
    after = counters(100, 0, (0.001, 0.001, 90), (0.050, 0.010, 8), (0.500, 0.100, 2))

    window = user_window(1.0, counters(0, 0), after)

    assert 1 < (window.p50_milliseconds or 0) < 2
    assert 50 < (window.p95_milliseconds or 0) < 60
    assert 500 < (window.p99_milliseconds or 0) <= 600


def test_without_requests_nothing_is_known() -> None:
    window = user_window(5.0, counters(7, 1), counters(7, 1))

    assert window.error_share is None
    assert (window.p50_milliseconds, window.p99_milliseconds) == (None, None)


def test_a_restarted_router_counts_from_zero() -> None:
    window = user_window(
        2.0, counters(1000, 10, (0.01, 0.01, 990)), counters(4, 1, (0.01, 0.01, 3))
    )

    assert (window.requests, window.errors) == (4, 1)
    assert window.p50_milliseconds is not None
