"""Many services in one stack on a cluster, against a program by hand.

`python -m tests.benchmarks.kubernetes_scale --sizes 10,100 --ups 10` makes less of it.
"""

import argparse
import asyncio
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Namespace

from tests.benchmarks.figure import Measurement, spread
from tests.benchmarks.kubernetes_by_hand import ByHand
from tests.benchmarks.kubernetes_cluster import temporary_cluster
from tests.benchmarks.kubernetes_program_cost import Cost, cost_of
from tests.benchmarks.stacks import say
from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.nodes import Kubelet, Node
from tests.cluster.many_services import (
    ManyServices,
    PretendedJobs,
    pretended_nodes,
    pretended_pool,
)
from tests.cluster.project import ClusterProject
from tests.engine.harness.command import Command
from tidegate.spec.kubernetes_gateway import ENVOY_GATEWAY_NAMESPACE

SIZES = (10, 100, 1000)
UPS = (10, 100)
ROUNDS = {10: 5, 100: 3}
"""So often a preview of that size is measured, with both programs in turn; others once."""
POOL = "pretended"
MOST_TIMES_SLOWER = 1.1
MOST_TIMES_THE_MEMORY = 1.2
LINEAR_WITHIN = 1.2
"""A further service may cost so many times what it costs among fewer."""
MOST_SECONDS = 1800.0
PREVIEW = ("preview",)
UP = ("up", "--yes", "--skip-preview")


class Pulumi(Protocol):
    """A project that can be run."""

    def start(self, *arguments: str) -> Command: ...


@dataclass
class Pair:
    """One command on one size, by both programs in turn."""

    command: str
    services: int
    own: list[Cost] = field(default_factory=list)
    by_hand: list[Cost] = field(default_factory=list)
    state_kb: dict[str, float] = field(default_factory=dict)
    """Of the stack's state when it was up, by program; every step writes all of it."""

    @property
    def times_slower(self) -> float:
        """Median over the rounds."""
        return statistics.median(
            own.seconds / other.seconds for own, other in zip(self.own, self.by_hand, strict=True)
        )

    @property
    def times_the_memory(self) -> float:
        return statistics.median(
            own.peak_mb / other.peak_mb for own, other in zip(self.own, self.by_hand, strict=True)
        )

    @property
    def seconds(self) -> float:
        """Median of our own."""
        return statistics.median(each.seconds for each in self.own)

    @property
    def detail(self) -> dict[str, Any]:
        return {
            "timesSlower": round(self.times_slower, 3),
            "timesTheMemory": round(self.times_the_memory, 3),
            "own": _detail(self.own),
            "byHand": _detail(self.by_hand),
            "stateKilobytes": self.state_kb,
        }


def measure_kubernetes_scale(sizes: Sequence[int] = SIZES, ups: Sequence[int] = UPS) -> Measurement:
    """Worst ratio of times; memory and linearity have limits of their own."""
    with temporary_cluster() as (cluster, folder):
        _pretend_all_nodes(cluster, sum(2 * each for each in ups))
        # No Envoy Gateway runs here: routes are written, and nobody programs an Envoy with them.
        cluster.client().create(Namespace(metadata=ObjectMeta(name=ENVOY_GATEWAY_NAMESPACE)))
        pairs = [pair for size in sizes for pair in _measured(cluster, folder, size, size in ups)]
    previews = [each for each in pairs if each.command == "preview"]
    slower = max(each.times_slower for each in pairs)
    memory = max(each.times_the_memory for each in pairs)
    further = [_seconds_of_a_further_service(*each) for each in pairwise(previews)]
    is_linear = all(larger <= LINEAR_WITHIN * smaller for smaller, larger in pairwise(further))
    return Measurement(
        value=slower,
        unit="times the seconds of the program by hand, worst case",
        goal=f"<= {MOST_TIMES_SLOWER:g}, memory <= {MOST_TIMES_THE_MEMORY:g}, previews linear",
        met=slower <= MOST_TIMES_SLOWER and memory <= MOST_TIMES_THE_MEMORY and is_linear,
        reference="a program by hand with pulumi-kubernetes that declares the same objects",
        runs=[each.times_slower for each in pairs],
        detail={
            "timesTheMemory": round(memory, 3),
            "previewSecondsOfAFurtherService": [round(each, 4) for each in further],
            **{f"{each.command}{each.services}": each.detail for each in pairs},
        },
    )


def _measured(cluster: KubernetesCluster, folder: Path, size: int, with_up: bool) -> Iterator[Pair]:
    namespace, other_namespace = f"scale-{size}", f"by-hand-{size}"
    client = cluster.client()
    for each in (namespace, other_namespace):
        client.create(Namespace(metadata=ObjectMeta(name=each)))
    say(f"  {size} services: publishing their releases")
    project = ClusterProject(folder / f"own-{size}", cluster, namespace)
    services = ManyServices(project, POOL, tuple(f"service-{number}" for number in range(size)))
    services.publish()
    platform = project.platform
    platform["kubernetes"]["pools"][POOL] = pretended_pool(POOL)
    project.declare(services.settings(), platform)
    by_hand = ByHand(folder / f"by-hand-{size}", project, other_namespace, services)
    if size in ROUNDS:
        # Once for nothing: a first run compiles the modules of a new project.
        _run_both(Pair("preview", size), project, by_hand, PREVIEW, 0)
    preview = Pair("preview", size)
    for number in range(ROUNDS.get(size, 1)):
        _run_both(preview, project, by_hand, PREVIEW, number)
    yield preview
    if with_up:
        asyncio.run(services.pass_gates())
        up = Pair("up", size)
        with PretendedJobs(cluster, namespace, services.names):
            _run_both(up, project, by_hand, UP, 0)
        up.state_kb = {
            "own": _state_kb(project.root / "backend"),
            "byHand": _state_kb(by_hand.root / "backend"),
        }
        yield up


def _run_both(
    pair: Pair, project: Pulumi, by_hand: Pulumi, arguments: Sequence[str], number: int
) -> None:
    """Every second round begins with the other program."""
    runs = [(project, "test", pair.own), (by_hand, "by-hand", pair.by_hand)]
    for program, stack, costs in runs if number % 2 == 0 else reversed(runs):
        with _ended(program.start(*arguments, "--stack", stack)) as command:
            costs.append(cost_of(command, MOST_SECONDS))
        assert "unknown field" not in costs[-1].run.output, "the API server dropped something"
    own, other = pair.own[-1], pair.by_hand[-1]
    say(
        f"  {pair.command} of {pair.services}: {own.seconds:.1f} s and {own.peak_mb:.0f} MB, "
        f"by hand {other.seconds:.1f} s and {other.peak_mb:.0f} MB"
    )


@contextmanager
def _ended(command: Command) -> Iterator[Command]:
    """The command does not outlive whoever waits for it."""
    try:
        yield command
    finally:
        if command.is_running:
            command.interrupt()
            command.wait(timeout=60)


def _state_kb(backend: Path) -> float:
    (state,) = (backend / ".pulumi" / "stacks").rglob("*.json")
    return round(state.stat().st_size / 1000, 1)


def _pretend_all_nodes(cluster: KubernetesCluster, gpus: int) -> None:
    """No pod of this cluster shall take processor time from what is measured."""
    for name in ("general-0", "general-1"):
        cluster.nodes.remove(name)
    general = [Node(f"general-{each}", Kubelet.KWOK, cpu="192") for each in "abcd"]
    cluster.nodes.add(*general, *pretended_nodes(POOL, gpus))


def _seconds_of_a_further_service(smaller: Pair, larger: Pair) -> float:
    """Between two sizes, so that what every command costs plays no part."""
    return (larger.seconds - smaller.seconds) / (larger.services - smaller.services)


def _detail(costs: Sequence[Cost]) -> dict[str, Any]:
    return {
        "seconds": spread([each.seconds for each in costs]),
        "peakMegabytes": spread([each.peak_mb for each in costs]),
        "partsMegabytes": {name: round(mb) for name, mb in costs[-1].parts_mb.items()},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--ups", default=",".join(map(str, UPS)))
    arguments = parser.parse_args()
    sizes, ups = (
        [int(each) for each in text.split(",") if each] for text in (arguments.sizes, arguments.ups)
    )
    measurement = measure_kubernetes_scale(sizes, ups)
    print(measurement.line("kubernetes_scale"))
    return 0 if measurement.met else 1


if __name__ == "__main__":
    sys.exit(main())
