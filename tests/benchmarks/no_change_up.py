"""`up` when nothing has changed, against an empty program's."""

import statistics

from tests.benchmarks.empty_program import EmptyProgram
from tests.benchmarks.figure import Measurement, spread
from tests.benchmarks.stacks import say, temporary_folder, temporary_project
from tests.benchmarks.stopwatch import succeeded
from tests.engine.harness.project import Project

PAIRS = 9
GOAL_RATIO = 2.0


def measure_no_change_up() -> Measurement:
    """Median of the ratios of pairs measured in turn, so that other load meets both."""
    with temporary_project() as project, temporary_folder() as folder:
        empty = EmptyProgram(folder)
        project.declare_digits("1", standby="2")
        project.up()
        empty.up()  # the first one creates the stack resource
        pairs = []
        for number in range(PAIRS):
            pairs.append((no_change_seconds(project), empty.up().seconds))
            say(f"  pair {number + 1} of {PAIRS}: {pairs[-1][0]:.2f} s, {pairs[-1][1]:.2f} s")
    ratios = [own / reference for own, reference in pairs]
    ratio = statistics.median(ratios)
    return Measurement(
        value=ratio,
        unit="times an empty program's up",
        goal=f"<= {GOAL_RATIO}",
        met=ratio <= GOAL_RATIO,
        reference="no-change up of an empty Python program, same engine, same environment",
        runs=ratios,
        detail={
            "ratio": spread(ratios),
            "seconds": spread([own for own, _ in pairs]),
            "emptySeconds": spread([reference for _, reference in pairs]),
        },
    )


def no_change_seconds(project: Project) -> float:
    """Seconds of an `up` that finds nothing to do. Raises AssertionError when it finds some."""
    run = succeeded(project.start_up())
    assert not run.changes, run.output
    return run.seconds
