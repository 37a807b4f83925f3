"""Many services in one stack on a cluster, against a program by hand.

`python -m tests.benchmarks.kubernetes_scale --sizes 10,100 --ups 10` makes less of it.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Namespace

from tests.benchmarks.figure import Measurement
from tests.benchmarks.kubernetes_cluster import temporary_cluster
from tests.benchmarks.kubernetes_scale_run import MOST_WITHOUT_WAITING, POOL, Costs, Stacks
from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.nodes import Kubelet, Node
from tests.cluster.many_services import pretended_nodes
from tidegate.spec.kubernetes_gateway import ENVOY_GATEWAY_NAMESPACE

SIZES = (10, 100, 1000)
UPS = (10, 100)
ROUNDS = {10: 5, 100: 3}
"""So often a preview of that size is measured, with both programs in turn; others once."""
MOST_TIMES_SLOWER = 1.1
MOST_TIMES_THE_MEMORY = 1.2
LINEAR_WITHIN = 1.2
"""A further service may cost so many times what it costs among fewer."""
JUDGED = ("preview", "up")


def measure_kubernetes_scale(sizes: Sequence[int] = SIZES, ups: Sequence[int] = UPS) -> Measurement:
    """Worst ratio of times; memory and linearity have limits of their own."""
    with temporary_cluster() as (cluster, folder):
        _pretend_all_nodes(cluster, sum(2 * each for each in ups) + MOST_WITHOUT_WAITING)
        # No Envoy Gateway runs here: routes are written, and nobody programs an Envoy with them.
        cluster.client().create(Namespace(metadata=ObjectMeta(name=ENVOY_GATEWAY_NAMESPACE)))
        costs = [each for size in sizes for each in _measured(cluster, folder, size, size in ups)]
    previews = [each for each in costs if each.command == "preview"]
    judged = [each for each in costs if each.command in JUDGED]
    slower = max(each.most_times("seconds") for each in judged)
    memory = max(each.most_times("peak_mb") for each in judged)
    further = [_seconds_of_a_further_service(*each) for each in pairwise(previews)]
    is_linear = all(larger <= LINEAR_WITHIN * smaller for smaller, larger in pairwise(further))
    return Measurement(
        value=slower,
        unit="times the seconds of the program by hand, worst case",
        goal=f"<= {MOST_TIMES_SLOWER:g}, memory <= {MOST_TIMES_THE_MEMORY:g}, previews linear",
        met=slower <= MOST_TIMES_SLOWER and memory <= MOST_TIMES_THE_MEMORY and is_linear,
        reference="a program by hand with pulumi-kubernetes that declares the same objects",
        runs=[each.most_times("seconds") for each in judged],
        detail={
            "timesTheMemory": round(memory, 3),
            "previewSecondsOfAFurtherService": [round(each, 4) for each in further],
            **{f"{each.command}{each.services}": each.detail for each in costs},
        },
    )


def _measured(
    cluster: KubernetesCluster, folder: Path, size: int, with_up: bool
) -> Iterator[Costs]:
    stacks = Stacks(cluster, folder, size)
    yield stacks.previews(ROUNDS.get(size, 1))
    if with_up:
        yield from stacks.ups()


def _pretend_all_nodes(cluster: KubernetesCluster, gpus: int) -> None:
    """No pod of this cluster shall take processor time from what is measured."""
    for name in ("general-0", "general-1"):
        cluster.nodes.remove(name)
    general = [Node(f"general-{each}", Kubelet.KWOK, cpu="192") for each in "abcd"]
    cluster.nodes.add(*general, *pretended_nodes(POOL, gpus))


def _seconds_of_a_further_service(smaller: Costs, larger: Costs) -> float:
    """Between two sizes, so that what every command costs plays no part."""
    return (larger.seconds - smaller.seconds) / (larger.services - smaller.services)


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
