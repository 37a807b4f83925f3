"""The points of a cluster."""

from tests.benchmarks.figure import Measurement
from tests.benchmarks.kill_matrix.points import Point, Way
from tests.benchmarks.kill_matrix.running import measurement, new_results, run_points
from tests.benchmarks.kill_matrix.victims import engine, provider
from tests.benchmarks.kubernetes_kills.cluster_line import cluster_lines
from tests.benchmarks.kubernetes_kills.moments import moments

RESULTS_NAME = "kubernetes-kill-matrix"
LINES = 2
"""Most of a point is waiting."""


def all_points() -> list[Point]:
    """Engine and provider at every moment, with both ways out."""
    return [
        Point(victim, moment, way)
        for moment in moments()
        for victim in (engine(), provider())
        for way in Way
    ]


def measure_kubernetes_kill_matrix() -> Measurement:
    """How many points end in the declared state, with users served and nothing left over."""
    points = all_points()
    with cluster_lines() as make_line:
        results = run_points(points, make_line, new_results(RESULTS_NAME), lines=LINES)
    return measurement(
        points,
        results,
        "kill -9 during a promotion on a cluster, then `up` again or revert and `up`",
    )
