"""kill -9 during a promotion: `up` again, or the old stack file and `up`, end as declared.

A sample of moments, victims and ways out. All of them: tests/benchmarks/kubernetes_kills.
"""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.envoy_gateway import EnvoyGateway
from tests.cluster.project import ClusterProject
from tests.cluster.promotions import Promotions, promotions_in
from tests.engine.harness.command import Command
from tests.engine.harness.waiting import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.extended, pytest.mark.timeout(600)]

SLOW_CANARY = {
    "strategy": "canary",
    "steps": [{"weight": 30, "seconds": 600}],
    "minimumRequests": 100,
    "maxRegression": {"errorRate": 0.2, "latency": {}},
}


@pytest.fixture(scope="module")
def shared(
    cluster: KubernetesCluster, gateway: EnvoyGateway, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Promotions]:
    with promotions_in(cluster, "kills", tmp_path_factory.mktemp("stack")) as promotions:
        yield promotions


@pytest.fixture
def promotions(shared: Promotions) -> Promotions:
    """A release is live, and a new one is declared."""
    shared.prepare()
    return shared


def kill_engine(project: ClusterProject, update: Command) -> None:
    update.kill()
    update.wait()
    project.cancel()


def kill_provider(update: Command) -> None:
    os.kill(wait_for("the provider", update.provider_pid), signal.SIGKILL)
    update.wait()


def test_a_provider_killed_during_a_gate_and_up_again(promotions: Promotions) -> None:
    update = promotions.project.start_up()
    promotions.running_gate()
    kill_provider(update)

    promotions.converges()


def test_an_engine_killed_during_a_canary_and_the_old_file(promotions: Promotions) -> None:
    project = promotions.project
    promotions.declare(switch=SLOW_CANARY)
    update = project.start_canary(promotions.revision, 30)
    kill_engine(project, update)

    # Nobody wants the canary any more: another way is declared.
    promotions.declare()
    promotions.reverts()
