"""`python -m tests.benchmarks [FIGURE …]`: one JSON line per figure on standard output.

Exit code 1 when a goal is not met or a figure could not be measured.
"""

import argparse
import sys
import traceback

from tests.benchmarks.catalogue import figures
from tests.benchmarks.figure import Figure
from tests.benchmarks.stacks import say


def main() -> int:
    known = {figure.name: figure for figure in figures()}
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--list", action="store_true", help="name the figures and end")
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=", ".join(known))
    arguments = parser.parse_args()
    unknown = [name for name in arguments.figures if name not in known]
    if unknown:
        parser.error(f"FIGURE: {', '.join(unknown)} is not known; known are {', '.join(known)}")
    if arguments.list:
        for figure in known.values():
            print(_description(figure))
        return 0
    chosen = [known[name] for name in arguments.figures]
    chosen = chosen or [figure for figure in known.values() if figure.by_default]
    goals_met = [_measure(figure) for figure in chosen]
    return 0 if all(goals_met) else 1


def _measure(figure: Figure) -> bool:
    """Whether the goal is met."""
    say(f"{figure.name}: about {figure.minutes:g} minutes")
    try:
        measurement = figure.measure()
    except Exception:  # the other figures are still wanted
        traceback.print_exc()
        return False
    print(measurement.line(figure.name), flush=True)
    return measurement.met


def _description(figure: Figure) -> str:
    only = "" if figure.by_default else "; only when named"
    return f"{figure.name:<20} {figure.about} (about {figure.minutes:g} min{only})"


if __name__ == "__main__":
    sys.exit(main())
