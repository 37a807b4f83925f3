"""Standbys without pods, and room for a new slot, on a pool that two slots fill."""

from collections.abc import Iterator

import pytest
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.batch_v1 import Job

from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.envoy_gateway import EnvoyGateway
from tests.cluster.project import ClusterProject, project_in
from tests.cluster.users import Users
from tests.engine.harness.releases import WRONG_ANSWERS
from tests.engine.harness.waiting import wait_for
from tidegate.cluster import names

pytestmark = [pytest.mark.cluster, pytest.mark.extended, pytest.mark.timeout(600)]

WHOLE_NODE = {"gpus": 4, "termination": {"preStopSeconds": 1, "exitTimeoutSeconds": 5}}
"""The test cluster's pool has two nodes with four GPUs: a third pod stays Pending."""


def declare(project: ClusterProject, release: str, standby: str | None, **settings: object) -> None:
    project.declare_digits(release, standby, WHOLE_NODE, **settings)


def slot(project: ClusterProject, release: str) -> str:
    """Id of the revision that a release becomes here."""
    return project.revision_served(release, WHOLE_NODE)


def replicas(project: ClusterProject) -> dict[str, int]:
    """Revision to the replicas that its Deployment shall have."""
    return {each.metadata.name: each.spec.replicas for each in project.objects(Deployment)}


@pytest.fixture(scope="module")
def project(
    cluster: KubernetesCluster, gateway: EnvoyGateway, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClusterProject]:
    """The stack that the tests share. Each declares what it needs and calls `settle`."""
    with project_in(cluster, "room", tmp_path_factory.mktemp("stack")) as project:
        yield project


@pytest.fixture(scope="module")
def other(project: ClusterProject) -> str:
    """A good release beside digits@1."""
    return project.new_release()


@pytest.fixture
def standing_by(project: ClusterProject, other: str) -> str:
    """The other release, cold, beside digits@1, which is live."""
    declare(project, "1", other, standbyMode="cold")
    project.settle()
    return other


def test_a_cold_standby_has_no_pods_and_takes_the_traffic_back(
    project: ClusterProject, gateway: EnvoyGateway, other: str
) -> None:
    one, two = slot(project, "1"), slot(project, other)
    declare(project, "1", None)
    project.settle()
    with Users(project, gateway) as users:
        declare(project, other, "1", standbyMode="cold")
        project.up()
        assert project.weights() == {one: 0, two: 100}
        assert replicas(project) == {one: 0, two: 1}
        wait_for("the end of its pods", lambda: not project.server_pods(one), 60)
        assert not project.refresh().changes
        assert not project.up().changes

        gates = len(project.objects(Job, {names.JOB_LABEL: "gate"}))
        declare(project, "1", other, standbyMode="cold")
        project.up()
        assert project.weights() == {one: 100, two: 0}
        assert replicas(project) == {one: 1, two: 0}
        assert len(project.objects(Job, {names.JOB_LABEL: "gate"})) == gates, "no gate to wait for"

    assert users.failures == []
    assert users.revisions == [one, two, one]


def test_more_replicas_are_for_the_live_revision_alone(
    project: ClusterProject, standing_by: str
) -> None:
    one, two = slot(project, "1"), slot(project, standing_by)
    more = {**WHOLE_NODE, "replicas": 2}

    project.declare_digits("1", standing_by, more, standbyMode="cold")
    project.up()
    assert replicas(project) == {one: 2, two: 0}

    declare(project, "1", standing_by, standbyMode="cold")
    project.up()
    assert replicas(project) == {one: 1, two: 0}


def test_an_update_killed_while_it_starts_the_cold_standby_is_taken_back(
    project: ClusterProject, standing_by: str
) -> None:
    one, two = slot(project, "1"), slot(project, standing_by)
    declare(project, standing_by, "1", standbyMode="cold")
    update = project.start_up()
    wait_for("the standby's replicas", lambda: replicas(project)[two] == 1, 60)
    update.kill()
    update.wait()
    project.cancel()

    declare(project, "1", standing_by, standbyMode="cold")
    assert f"{two} goes to zero replicas" in project.preview().output
    project.up()

    assert project.weights() == {one: 100, two: 0}
    assert replicas(project) == {one: 1, two: 0}
    assert not project.preview().changes


def test_a_retired_standby_makes_room_and_comes_back_when_the_gate_fails(
    project: ClusterProject, gateway: EnvoyGateway, standing_by: str
) -> None:
    bad = project.new_release(WRONG_ANSWERS.apply)
    one, two, three = (slot(project, each) for each in ("1", standing_by, bad))
    declare(project, "1", standing_by, makeRoom=True)
    project.up()
    assert replicas(project) == {one: 1, two: 1}

    with Users(project, gateway) as users:
        declare(project, bad, "1", makeRoom=True)
        assert f"{two} is declared no more and goes to zero replicas" in project.preview().output
        refused = project.up(expect_failure=True)
        assert "takes no traffic. FAIL" in refused.output
        assert f"{two} has zero replicas now, to make room" in refused.output
        assert project.weights() == {one: 100, two: 0}
        assert replicas(project) == {one: 1, two: 0, three: 1}

        declare(project, "1", standing_by, makeRoom=True)
        project.up()
        assert project.weights() == {one: 100, two: 0}
        assert replicas(project) == {one: 1, two: 1}

    assert users.failures == []
    assert users.revisions == [one]
