"""`python -m tests.benchmarks.kill_matrix [--victims …] [--moments …] [--ways …]`: some points."""

import argparse
import sys

from tests.benchmarks.kill_matrix.matrix import all_points, run_points, switch_points


def main() -> int:
    points = [*all_points(), *switch_points()]
    parser = argparse.ArgumentParser(description=__doc__)
    for option, known in (
        ("--victims", dict.fromkeys(each.victim.name for each in points)),
        ("--moments", dict.fromkeys(each.moment.name for each in points)),
        ("--ways", dict.fromkeys(str(each.way) for each in points)),
    ):
        parser.add_argument(option, nargs="+", choices=list(known), default=list(known))
    chosen = parser.parse_args()
    results = run_points(
        [
            each
            for each in points
            if each.victim.name in chosen.victims
            and each.moment.name in chosen.moments
            and str(each.way) in chosen.ways
        ]
    )
    return 1 if any(each.problems for each in results) else 0


if __name__ == "__main__":
    sys.exit(main())
