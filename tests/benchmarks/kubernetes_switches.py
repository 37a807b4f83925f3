"""What switches on a cluster do to users: `python -m tests.benchmarks.kubernetes_switches`.

As `switches`, through Envoy Gateway; `--switches` makes fewer of them.
"""

import argparse
import sys

import numpy as np

from tests.benchmarks.figure import Measurement
from tests.benchmarks.kubernetes_switch_run import (
    SWITCHES,
    KubernetesSwitch,
    kubernetes_switch_run,
)
from tests.benchmarks.switches import latency_ratio, lost_requests, seconds_on_the_old_side

LEAST_PER_SECOND = 300.0


def measure_kubernetes_switches(switches: int = SWITCHES) -> Measurement:
    """Requests that failed, were repeated, or were answered by a revision that had drained."""
    run = kubernetes_switch_run(switches)
    patched = [each.patched for each in run.switches if isinstance(each, KubernetesSwitch)]
    seconds = seconds_on_the_old_side(run, patched)
    latency = latency_ratio(run)
    return lost_requests(
        run,
        LEAST_PER_SECOND,
        detail={
            "requestsByEnvoy": run.requests_by_envoy,
            "millisecondsFromPatchToLastStartOnOldSide": {
                "p50": round(float(np.median(seconds)) * 1000, 2),
                "max": round(max(seconds) * 1000, 2),
            },
            "p99TimesSteady": {"value": round(latency.value, 3), **latency.detail},
        },
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--switches", type=int, default=SWITCHES)
    measurement = measure_kubernetes_switches(parser.parse_args().switches)
    print(measurement.line("kubernetes_switches"))
    return 0 if measurement.met else 1


if __name__ == "__main__":
    sys.exit(main())
