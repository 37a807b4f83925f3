"""The process that carries a switch or a drain out inside a cluster.

`python -m tidegate.runner.switch_job`, with TIDEGATE_NAMESPACE and TIDEGATE_RUN in its
environment, reads the run's record over the API server and leaves the outcome there. Started again
on the same run it goes on where that was. Exit code 0 means that there is an outcome, or that a
drain is not wanted any more; with EXIT_REFUSED the Job fails at once, with any other it starts the
process again. The last words are the container's termination message.
"""

import os
import sys

from tidegate.cluster.client import Cluster, connect
from tidegate.cluster.errors import ClusterError, is_refusal
from tidegate.cluster.names import DRAIN, EXIT_REFUSED
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
        cluster = connect(None, None, environment.namespace)
        return run_until_signalled(_carry_out(environment, cluster), EXIT_ERROR)
    except AnotherRunnerError as error:
        print(error, file=sys.stderr)
        return EXIT_ALREADY_RUNNING
    except NotWantedError as error:
        print(error, file=sys.stderr)
        return EXIT_DONE
    except (SpecError, ClusterError, RouterError) as error:
        print(error, file=sys.stderr)
        return EXIT_REFUSED if is_refusal(error) else EXIT_ERROR


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
