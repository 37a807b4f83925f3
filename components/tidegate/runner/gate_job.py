"""The process that carries a gate out inside a cluster.

`python -m tidegate.runner.gate_job`, with TIDEGATE_NAMESPACE and TIDEGATE_RUN in its environment,
reads the run's record over the API server, waits for its accelerator pool, runs
`tidegate.gate.runner` as a child and leaves the verdict as the pod's termination message. Exit
codes are those of `tidegate.gate.runner`; without a verdict there is no message.
"""

import os
import sys

from tidegate.cluster.client import connect_as_pod
from tidegate.cluster.errors import ClusterError
from tidegate.gate.runner import EXIT_ERROR, EXIT_STOPPED
from tidegate.runner.environment import RunnerEnvironment
from tidegate.runner.gating import Gating
from tidegate.runner.signals import run_until_signalled
from tidegate.spec.errors import SpecError


def main() -> int:
    """Carry out the run that the environment names."""
    try:
        environment = RunnerEnvironment.read(os.environ)
        cluster = connect_as_pod(environment.namespace)
        return run_until_signalled(Gating(cluster, environment).carry_out(), EXIT_STOPPED)
    except (SpecError, ClusterError) as error:
        print(error, file=sys.stderr)
        return EXIT_ERROR


if __name__ == "__main__":
    sys.exit(main())
