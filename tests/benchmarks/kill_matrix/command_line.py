"""Some points of a matrix by name, in one run or several."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.kill_matrix.points import Point
from tests.benchmarks.kill_matrix.running import MakeLine, new_results, run_points


@dataclass(frozen=True)
class Chosen:
    """What a command line asks for."""

    points: Sequence[Point]
    results: Path
    lines: int
    seconds: float | None

    def run(self, make_line: MakeLine) -> int:
        """The exit code: 1 when a point went wrong."""
        results = run_points(
            self.points, make_line, self.results, lines=self.lines, seconds=self.seconds
        )
        return 1 if any(each.problems for each in results) else 0


def choose(points: Sequence[Point], results_name: str, about: str | None) -> Chosen:
    """Read this process's command line, which names victims, moments and ways out."""
    parser = argparse.ArgumentParser(description=about)
    for option, known in (
        ("--victims", dict.fromkeys(each.victim.name for each in points)),
        ("--moments", dict.fromkeys(each.moment.name for each in points)),
        ("--ways", dict.fromkeys(str(each.way) for each in points)),
    ):
        parser.add_argument(option, nargs="+", choices=list(known), default=list(known))
    parser.add_argument(
        "--resume", type=Path, metavar="FILE", help="go on with this file of results"
    )
    parser.add_argument("--lines", type=int, default=1, metavar="N", help="stacks at once")
    parser.add_argument(
        "--seconds", type=float, metavar="N", help="begin no further point after so long"
    )
    arguments = parser.parse_args()
    wanted = [
        each
        for each in points
        if each.victim.name in arguments.victims
        and each.moment.name in arguments.moments
        and str(each.way) in arguments.ways
    ]
    results = arguments.resume or new_results(results_name)
    return Chosen(wanted, results, arguments.lines, arguments.seconds)
