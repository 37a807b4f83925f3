"""Bounds against published totals, and the correction for correlated requests."""

import math

import numpy as np
import pytest

from tidegate.gate.statistics import (
    attempt_confidence,
    design_effect,
    lower_bound,
    quantile_estimate,
    requests_to_pass,
    share_bounds,
    upper_bound,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("confidence", "misses", "total"),
    [
        # MLPerf LoadGen's early stopping for p99.
        (0.99, 0, 459),
        (0.99, 1, 662),
        (0.99, 10, 2010),
        (0.99, 100, 12571),
        (0.95, 0, 299),
        (0.95, 1, 473),
        (0.95, 10, 1693),
        (0.95, 100, 11799),
    ],
)
def test_p99_is_shown_from_the_published_number_of_requests_on(
    confidence: float, misses: int, total: int
) -> None:
    assert upper_bound(misses, total, confidence) <= 0.01 + 1e-9
    assert upper_bound(misses, total - 1, confidence) > 0.01


def test_zero_errors_in_three_thousand_show_a_tenth_of_a_percent() -> None:
    assert upper_bound(0, 3000, 0.95) == pytest.approx(0.001, rel=0.01)


def test_bounds_enclose_the_share_and_are_trivial_without_data() -> None:
    assert lower_bound(30, 100, 0.95) < 0.3 < upper_bound(30, 100, 0.95)
    nothing = share_bounds(np.zeros(0, np.bool_), np.zeros(0), 0.95)
    assert (nothing.lower, nothing.upper) == (0.0, 1.0)
    everything = share_bounds(np.ones(50, np.bool_), np.arange(50.0), 0.95)
    assert everything.upper == 1.0 and everything.lower > 0.9


def test_independent_misses_have_a_design_effect_near_one() -> None:
    generator = np.random.default_rng(3)
    missed = generator.random(60_000) < 0.02
    assert 1.0 <= design_effect(missed, np.arange(60_000) / 200.0) < 2.0


def test_misses_in_bursts_count_as_fewer_requests() -> None:
    intended = np.arange(60_000) / 200.0
    missed = (intended % 30.0) < 0.6
    effect = design_effect(missed, intended)
    assert effect > 50.0
    burst = share_bounds(missed, intended, 0.95)
    spread = share_bounds(np.arange(60_000) % 50 == 0, intended, 0.95)
    assert burst.misses == pytest.approx(spread.misses, rel=0.02)
    assert burst.upper > 1.5 * spread.upper


def test_design_effect_is_the_formula_on_one_block_length() -> None:
    # 12 s at 10/s: only 1 s blocks are enough; one block of 12 misses everything.
    missed = np.zeros(120, np.bool_)
    missed[:10] = True
    share = 10 / 120
    squares = (10 - 10 * share) ** 2 + 11 * (10 * share) ** 2
    expected = squares / (10 * share * (1 - share)) / 11
    assert design_effect(missed, np.arange(120) / 10.0) == pytest.approx(expected)


def test_more_requests_needed_are_just_enough() -> None:
    bounds = share_bounds(np.zeros(100, np.bool_), np.arange(100.0), 0.95)
    needed = requests_to_pass(bounds, 0.01, 0.95)
    assert needed == 299
    at_limit = share_bounds(np.arange(100) % 10 == 0, np.arange(100.0), 0.95)
    assert requests_to_pass(at_limit, 0.1, 0.95) is None


def test_quantile_counts_failures_as_slowest() -> None:
    latency = np.array([0.1] * 96 + [np.inf] * 4)
    assert quantile_estimate(latency, 0.95) == 0.1
    assert math.isinf(quantile_estimate(latency, 0.97))


def test_all_attempts_together_spend_no_more_than_alpha() -> None:
    spent = [1.0 - attempt_confidence(0.95, attempt) for attempt in range(1, 1001)]
    assert spent[0] == pytest.approx(0.025)
    assert spent == sorted(spent, reverse=True)
    assert 0.0499 < sum(spent) <= 0.05
