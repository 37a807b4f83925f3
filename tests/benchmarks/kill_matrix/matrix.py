"""The points of the embedded platform."""

from collections.abc import Sequence

from tests.benchmarks.figure import Measurement
from tests.benchmarks.kill_matrix.embedded_line import embedded_line
from tests.benchmarks.kill_matrix.moments import Promotion, moments
from tests.benchmarks.kill_matrix.points import Point, Way
from tests.benchmarks.kill_matrix.running import measurement, new_results, run_points
from tests.benchmarks.kill_matrix.switch_moments import switch_moments
from tests.benchmarks.kill_matrix.victims import (
    conductor,
    engine,
    envoy,
    new_triton,
    old_triton,
    provider,
    supervisor,
)

RESULTS_NAME = "kill-matrix"


def all_points() -> list[Point]:
    """Of the two servers the one is killed that the way out of the accident needs."""
    both_ways = {
        Way.AGAIN: (engine(), provider(), new_triton(), envoy()),
        Way.REVERT: (engine(), provider(), old_triton(), envoy()),
    }
    points = [
        Point(victim, moment, way)
        for way, victims in both_ways.items()
        for victim in victims
        for moment in moments()
    ]
    way_of = {Promotion.SWAP: Way.AGAIN, Promotion.REPLACE: Way.REVERT}
    return points + [Point(supervisor(), each, way_of[each.promotion]) for each in moments()]


def switch_points() -> list[Point]:
    """Every victim at every stage of every strategy, with both ways out."""
    victims = (engine(), provider(), conductor(), envoy(), old_triton(), new_triton())
    return [
        Point(victim, moment, way)
        for victim in victims
        for moment in switch_moments()
        for way in Way
    ]


def measure_kill_matrix() -> Measurement:
    """How many points end in the declared state, with users served and nothing left over."""
    return _measure(all_points(), "kill -9 during a promotion, then `up` again or revert and `up`")


def measure_switch_kill_matrix() -> Measurement:
    """The same while a switch goes through its stages."""
    return _measure(
        switch_points(), "kill -9 during a canary or a bake, then `up` again or revert and `up`"
    )


def _measure(points: Sequence[Point], reference: str) -> Measurement:
    results = run_points(points, embedded_line, new_results(RESULTS_NAME))
    return measurement(points, results, reference)
