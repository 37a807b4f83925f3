"""Previews of clusters with many node pools, against a program by hand.

`python -m tests.benchmarks.cloud_preview --clouds aws --sizes 1,10` makes less of it.
"""

import argparse
import json
import resource
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from tests.benchmarks.cloud_preview_by_hand import resources_by_hand
from tests.benchmarks.cloud_preview_plans import AWS, GCP, CloudExample
from tests.benchmarks.cloud_preview_programs import own_program, program_by_hand
from tests.benchmarks.cloud_preview_same import check_same, previewed
from tests.benchmarks.figure import Measurement, spread
from tests.benchmarks.kubernetes_program_cost import Cost, cost_of
from tests.benchmarks.stacks import say, temporary_folder
from tests.cloud.harness.project import CloudProject

EXAMPLES = {"aws": AWS, "gcp": GCP}
SIZES = (1, 10, 50)
ROUNDS = {1: 9, 10: 9}
"""How often a size is measured; others five times. What few pools cost is a small difference."""
USUAL_ROUNDS = 5
MOST_TIMES = 1.1
"""Seconds and memory of the program by hand."""
LINEAR_WITHIN = 1.2
"""A further pool may cost so many times what it costs among fewer."""
MOST_SECONDS = 300.0


@dataclass(frozen=True)
class PreviewCost:
    """`cpu_seconds` of every process that the command started."""

    whole: Cost
    cpu_seconds: float


Measure = Callable[[PreviewCost], float]


def seconds(cost: PreviewCost) -> float:
    return cost.whole.seconds


def peak_mb(cost: PreviewCost) -> float:
    return cost.whole.peak_mb


MEASURES: dict[str, Measure] = {
    "seconds": seconds,
    "processorSeconds": lambda cost: cost.cpu_seconds,
    "peakMegabytes": peak_mb,
    "programsMegabytes": lambda cost: cost.whole.parts_mb["program"],
}


@dataclass
class Pair:
    """Previews of one size on one cloud, by both programs in turn."""

    cloud: str
    pools: int
    resources: int
    own_project: CloudProject
    project_by_hand: CloudProject
    own: list[PreviewCost] = field(default_factory=list)
    by_hand: list[PreviewCost] = field(default_factory=list)

    def times(self, measure: Measure) -> float:
        """Median over the rounds of ours divided by the other."""
        pairs = zip(self.own, self.by_hand, strict=True)
        return statistics.median(measure(own) / measure(other) for own, other in pairs)

    @property
    def least_cpu_seconds(self) -> float:
        """Of our own: other work on the machine only adds to it."""
        return min(each.cpu_seconds for each in self.own)

    @property
    def detail(self) -> dict[str, Any]:
        return {
            "resources": self.resources,
            "times": {name: round(self.times(each), 3) for name, each in MEASURES.items()},
            "own": _detail(self.own),
            "byHand": _detail(self.by_hand),
        }


def measure_cloud_preview(
    clouds: Sequence[str] = tuple(EXAMPLES), sizes: Sequence[int] = SIZES
) -> Measurement:
    """Worst ratio of seconds; memory and linearity have limits of their own."""
    with temporary_folder() as folder:
        pairs = [pair for cloud in clouds for pair in _measured(folder, EXAMPLES[cloud], sizes)]
    slower = max(each.times(seconds) for each in pairs)
    memory = max(each.times(peak_mb) for each in pairs)
    further = {
        cloud: list(_further([each for each in pairs if each.cloud == cloud])) for cloud in clouds
    }
    is_linear = all(
        larger <= LINEAR_WITHIN * smaller
        for costs in further.values()
        for smaller, larger in pairwise(costs)
    )
    return Measurement(
        value=slower,
        unit="times the seconds of the program by hand, worst case",
        goal=f"<= {MOST_TIMES:g}, memory <= {MOST_TIMES:g}, linear",
        met=slower <= MOST_TIMES and memory <= MOST_TIMES and is_linear,
        reference="a program by hand that declares the same resources with the cloud's SDK",
        runs=[each.times(seconds) for each in pairs],
        detail={
            "timesTheMemory": round(memory, 3),
            "processorSecondsOfAFurtherPool": {
                cloud: [round(each, 4) for each in costs] for cloud, costs in further.items()
            },
            **{f"{each.cloud}{each.pools}": each.detail for each in pairs},
        },
    )


def _measured(folder: Path, example: CloudExample, sizes: Sequence[int]) -> list[Pair]:
    """A round is every size once, so that other work on the machine meets all of them."""
    with ExitStack() as ended:
        pairs = [_prepared(folder, example, each, ended) for each in sizes]
        rounds = {size: ROUNDS.get(size, USUAL_ROUNDS) for size in sizes}
        for number in range(max(rounds.values())):
            for pair in pairs:
                if number < rounds[pair.pools]:
                    _run_both(pair, number)
        return pairs


def _prepared(folder: Path, example: CloudExample, pools: int, ended: ExitStack) -> Pair:
    cache = folder / "sdk-shapes"
    declared = resources_by_hand(example, pools, cache)
    root = folder / f"{example.cloud}-{pools}"
    own = CloudProject(root / "own", cache, program=own_program(example))
    ended.callback(own.remove)
    by_hand = CloudProject(root / "by-hand", cache, program=program_by_hand(example))
    ended.callback(by_hand.remove)
    (own.root / "cluster.yaml").write_text(yaml.safe_dump(example.document(pools)))
    (by_hand.root / "resources.json").write_text(json.dumps(declared))
    # These runs also compile the modules of a new project.
    check_same(previewed(own), previewed(by_hand))
    return Pair(example.cloud, pools, len(declared), own, by_hand)


def _run_both(pair: Pair, number: int) -> None:
    """Every second round begins with the other program."""
    runs = [(pair.own_project, pair.own), (pair.project_by_hand, pair.by_hand)]
    for project, costs in runs if number % 2 == 0 else reversed(runs):
        costs.append(_preview(project))
    said = " against ".join(
        f"{each.whole.seconds:.1f} s, {each.cpu_seconds:.1f} s of CPU, {each.whole.peak_mb:.0f} MB"
        for each in (pair.own[-1], pair.by_hand[-1])
    )
    say(f"  {pair.cloud}, {pair.pools} pools: {said} by hand")


def _preview(project: CloudProject) -> PreviewCost:
    before = _cpu_seconds_of_children()
    cost = cost_of(project.start("preview", "--stack", project.stack), MOST_SECONDS)
    return PreviewCost(cost, _cpu_seconds_of_children() - before)


def _cpu_seconds_of_children() -> float:
    """Of those that have ended: pulumi waits for the programs that it starts, as we do for it."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _further(pairs: Sequence[Pair]) -> Iterator[float]:
    """Processor time of one pool more, so that what every command costs plays no part."""
    for smaller, larger in pairwise(pairs):
        yield (larger.least_cpu_seconds - smaller.least_cpu_seconds) / (
            larger.pools - smaller.pools
        )


def _detail(costs: Sequence[PreviewCost]) -> dict[str, Any]:
    return {name: spread([measure(each) for each in costs]) for name, measure in MEASURES.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clouds", default=",".join(EXAMPLES))
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    arguments = parser.parse_args()
    measurement = measure_cloud_preview(
        arguments.clouds.split(","), [int(each) for each in arguments.sizes.split(",")]
    )
    print(measurement.line("cloud_preview"))
    return 0 if measurement.met else 1


if __name__ == "__main__":
    sys.exit(main())
