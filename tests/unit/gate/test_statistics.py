"""Bounds against published totals, and the correction for correlated requests."""

import numpy as np
import numpy.typing as npt
import pytest

from tidegate.gate.statistics import (
    CALIBRATION,
    attempt_confidence,
    design_effect,
    lower_bound,
    requests_to_pass,
    share_bounds,
    shared_confidence,
    upper_bound,
)
from tidegate.gate.tally import ShareCounts

pytestmark = pytest.mark.unit


def counts(missed: npt.NDArray[np.bool_], rate: float) -> ShareCounts:
    """Requests at a constant rate, by second."""
    second = (np.arange(missed.size) / rate).astype(np.int64)
    return ShareCounts(np.bincount(second), np.bincount(second[missed], minlength=second.max() + 1))


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
    empty = np.zeros(0, np.int64)
    nothing = share_bounds(ShareCounts(empty, empty), 0.95)
    assert (nothing.lower, nothing.upper) == (0.0, 1.0)
    everything = share_bounds(counts(np.ones(50, np.bool_), 1.0), 0.95)
    assert everything.upper == 1.0 and everything.lower > 0.9


def test_independent_misses_have_a_design_effect_near_one() -> None:
    generator = np.random.default_rng(3)
    missed = generator.random(60_000) < 0.02
    assert 1.0 <= design_effect(counts(missed, 200.0)).value < 1.5 * CALIBRATION


def test_misses_in_bursts_count_as_fewer_requests() -> None:
    intended = np.arange(60_000) / 200.0
    missed = (intended % 30.0) < 0.6
    effect = design_effect(counts(missed, 200.0)).value
    assert effect > 50.0
    burst = share_bounds(counts(missed, 200.0), 0.95)
    spread = share_bounds(counts(np.arange(60_000) % 50 == 0, 200.0), 0.95)
    assert burst.misses == pytest.approx(spread.misses, rel=0.02)
    assert burst.upper > 1.5 * spread.upper


def test_design_effect_is_the_formula_on_one_block_length() -> None:
    # 12 s at 10/s: only 1 s blocks are enough; one block of 12 misses everything.
    missed = np.zeros(120, np.bool_)
    missed[:10] = True
    share = 10 / 120
    squares = (10 - 10 * share) ** 2 + 11 * (10 * share) ** 2
    expected = CALIBRATION * squares / (10 * share * (1 - share)) / 11
    assert design_effect(counts(missed, 10.0)).value == pytest.approx(expected)


def test_more_requests_needed_are_just_enough() -> None:
    bounds = share_bounds(counts(np.zeros(100, np.bool_), 1.0), 0.95)
    needed = requests_to_pass(bounds, 0.01, 0.95)
    assert needed == 299
    at_limit = share_bounds(counts(np.arange(100) % 10 == 0, 1.0), 0.95)
    assert requests_to_pass(at_limit, 0.1, 0.95) is None


def test_all_attempts_together_spend_no_more_than_alpha() -> None:
    spent = [1.0 - attempt_confidence(0.95, attempt) for attempt in range(1, 21)]
    assert spent[:2] == pytest.approx([0.0375, 0.009375])
    assert spent == sorted(spent, reverse=True)
    assert 0.0499 < sum(spent) <= 0.05 + 1e-12


def test_tests_share_their_error_budget() -> None:
    assert shared_confidence(0.95, 1) == 0.95
    assert shared_confidence(0.95, 10) == pytest.approx(0.995)
