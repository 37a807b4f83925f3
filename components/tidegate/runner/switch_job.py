"""The process that carries a switch or a drain out inside a cluster.

`python -m tidegate.runner.switch_job`, with TIDEGATE_NAMESPACE and TIDEGATE_RUN in its
environment, reads the run's record over the API server and leaves the outcome there. Started again
on the same run it goes on where that was. With any exit code but 0 the Job starts the process
again; with 0 there is an outcome, or a drain is not wanted any more, or the API server refuses what
the process needs, and would refuse it again. The last words are the container's termination
message.
"""

import os
import sys

from tidegate.cluster.client import Cluster, connect_as_pod
from tidegate.cluster.errors import ClusterError, is_refusal
from tidegate.cluster.names import DRAIN, TERMINATION_MESSAGE
from tidegate.runner.environment import RunnerEnvironment
from tidegate.runner.signals import run_until_signalled
from tidegate.runner.wanted import AnotherRunnerError, NotWantedError
from tidegate.spec.errors import SpecError
from tidegate.traffic.router import RouterError

EXIT_DONE = 0
EXIT_ERROR = 5
EXIT_ALREADY_RUNNING = 6


def main() -> int:
    """Carry out the run that the environment names."""
    try:
        environment = RunnerEnvironment.read(os.environ)
    except SpecError as error:
        print(error, file=sys.stderr)
        return EXIT_ERROR
    try:
        cluster = connect_as_pod(environment.namespace)
        return run_until_signalled(_carry_out(environment, cluster), EXIT_ERROR)
    except AnotherRunnerError as error:
        print(error, file=sys.stderr)
        return EXIT_ALREADY_RUNNING
    except NotWantedError as error:
        print(error, file=sys.stderr)
        return EXIT_DONE
    except (SpecError, ClusterError, RouterError) as error:
        print(error, file=sys.stderr)
        if not is_refusal(error):
            return EXIT_ERROR
        # Only of a container that failed the kubelet takes the last lines for its message.
        path = environment.work_folder / TERMINATION_MESSAGE
        path.write_text(str(error), encoding="utf-8")
        return EXIT_DONE


async def _carry_out(environment: RunnerEnvironment, cluster: Cluster) -> int:
    # Judging needs numpy and scipy, which a drain need not load.
    if environment.run.startswith(DRAIN):
        from tidegate.runner.draining import carry_out_drain

        await carry_out_drain(cluster, environment)
    else:
        from tidegate.runner.switching import carry_out_switch

        await carry_out_switch(cluster, environment)
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
