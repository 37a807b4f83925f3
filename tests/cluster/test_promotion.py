"""Releases on a cluster, through the real engine: the promotions of one machine, elsewhere."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.batch_v1 import Job
from lightkube.resources.coordination_v1 import Lease
from lightkube.resources.core_v1 import Namespace, Pod, Secret
from lightkube.resources.rbac_authorization_v1 import Role

from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.envoy_gateway import EnvoyGateway
from tests.cluster.models import models_in
from tests.cluster.project import (
    GATES,
    HOST_NAME,
    POOL,
    ClusterProject,
    HTTPRoute,
    project_in,
)
from tests.cluster.users import Users
from tests.engine.harness.releases import SERVICE, WRONG_ANSWERS, worse_while_there_is
from tests.engine.harness.waiting import wait_for
from tests.unit.gate.bucket_fake import FakeBucket, serving_bucket
from tidegate.cluster import names

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

SECRET_KEY = "k3y-which-nobody-may-read"  # noqa: S105 - made up
OF_THE_STACK = {names.STACK_ANNOTATION: "tidegate/test"}
BROKEN = Path("/tmp/broken")  # noqa: S108 - in the pods of the release
CANARY = {
    "strategy": "canary",
    "steps": [{"weight": 30, "seconds": 12}],
    "minimumRequests": 100,
    "maxRegression": {"errorRate": 0.05, "latency": {}},
}


@pytest.fixture(scope="module")
def bucket(cluster: KubernetesCluster) -> Iterator[FakeBucket]:
    """Where the gates keep their evidence. The runner has the keys from its Secret."""
    with serving_bucket(cluster.network.host_address) as served:
        yield served


@pytest.fixture(scope="module")
def shared(
    cluster: KubernetesCluster,
    gateway: EnvoyGateway,
    bucket: FakeBucket,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ClusterProject]:
    """The stack that the tests share. Each declares what it needs and calls `settle`."""
    with project_in(cluster, "promotion", tmp_path_factory.mktemp("stack")) as project:
        project.evidence = "s3://evidence/team"
        project.api.create(
            Secret(
                metadata=ObjectMeta(name=names.RUNNER),
                stringData=bucket.environment(SECRET_KEY),
            )
        )
        yield project


@pytest.fixture
def project(shared: ClusterProject) -> ClusterProject:
    """The shared stack with digits@1 live and nothing beside it."""
    shared.declare_digits("1")
    shared.settle()
    return shared


def test_the_first_update_serves_and_the_second_changes_nothing(project: ClusterProject) -> None:
    revision = project.revision("1")

    assert project.weights() == {revision: 100}
    assert project.servers() == {revision}
    assert project.outputs()["services"][SERVICE]["live"] == revision
    turn = project.api.get(Lease, names.accelerator_pool_lease(POOL), namespace=GATES)
    assert turn.spec is not None and not turn.spec.holderIdentity, "given back by its gate"
    (route,) = project.objects(HTTPRoute)
    assert route["spec"]["hostnames"] == [HOST_NAME], "other services share the gateway"
    assert not project.up().changes
    assert not project.preview().changes
    assert not project.refresh().changes


def test_a_gate_leaves_its_evidence_in_the_bucket(
    project: ClusterProject, bucket: FakeBucket
) -> None:
    revision = project.revision("1")

    kept = [key for key in bucket.objects if key.startswith(f"team/{SERVICE}/{revision}/")]
    assert {Path(key).suffix for key in kept} == {".json", ".html", ".npz"}
    (statement,) = (json.loads(bucket.objects[key]) for key in kept if key.endswith(".json"))
    passed = statement["predicate"]["passedTests"]
    assert {"validity/server", "validity/restart"} <= set(passed), "read from the pod"
    assert any(key.startswith("team/attempts-") for key in bucket.objects)
    files = [path for path in project.root.rglob("*") if path.is_file()]
    assert not [path for path in files if SECRET_KEY.encode() in path.read_bytes()]


def test_promoted_and_rolled_back_while_users_keep_asking(
    project: ClusterProject, gateway: EnvoyGateway
) -> None:
    one, new = project.revision("1"), project.new_release()
    two = project.revision(new)
    with Users(project, gateway) as users:
        project.declare_digits(new, standby="1")
        project.up()
        assert project.weights() == {one: 0, two: 100}

        gates = len(project.objects(Job, {names.JOB_LABEL: "gate"}))
        project.declare_digits("1", standby=new)
        back = project.up()
        assert project.weights() == {one: 100, two: 0}
        assert len(project.objects(Job, {names.JOB_LABEL: "gate"})) == gates, "no gate to wait for"
        assert f"all traffic of {SERVICE} goes to {one}" in back.output

    assert users.failures == []
    assert users.revisions == [one, two, one]
    project.declare_digits("1")
    project.up()
    wait_for("the end of what is not declared", lambda: not project.left_objects(two), 60)
    assert project.servers() == {one}


def test_a_release_that_fails_its_gate_takes_no_traffic(project: ClusterProject) -> None:
    one, bad = project.revision("1"), project.new_release(WRONG_ANSWERS.apply)
    project.declare_digits(bad, standby="1")

    refused = project.up(expect_failure=True)

    assert f"{SERVICE}@{bad} takes no traffic. FAIL" in refused.output
    assert project.weights() == {one: 100}
    gates = len(project.objects(Job, {names.JOB_LABEL: "gate"}))
    again = project.up(expect_failure=True)
    assert "This verdict stands for this revision" in again.output
    assert len(project.objects(Job, {names.JOB_LABEL: "gate"})) == gates


def test_a_canary_that_is_worse_for_users_is_turned_back(
    project: ClusterProject, gateway: EnvoyGateway
) -> None:
    one = project.revision("1")
    worse = project.new_release(worse_while_there_is(BROKEN, Path("/none")).apply)
    two = project.revision(worse)
    project.declare_digits(worse, standby="1", switch=CANARY)
    with Users(project, gateway):
        update = project.start_canary(two, 30)
        for pod in project.server_pods(two):
            project.cluster.kubelet.execute(project.namespace, pod, ["touch", str(BROKEN)])
        run = update.wait()

    assert not run.succeeded
    assert f"{two} does not take the traffic" in run.output
    assert f"{one} takes all traffic of {SERVICE} again" in run.output
    assert project.weights() == {one: 100}
    assert project.servers() == {one, two}
    assert "This stands for this revision" in project.up(expect_failure=True).output


def test_routes_edited_or_deleted_by_hand_are_told_and_mended(project: ClusterProject) -> None:
    revision = project.revision("1")
    project.api.delete(HTTPRoute, SERVICE)

    preview = project.preview()

    assert preview.changes
    assert f"{SERVICE} has no routes" in preview.output
    project.up()
    assert project.weights() == {revision: 100}
    assert not project.preview().changes


def test_a_cluster_that_the_first_preview_does_not_know(
    cluster: KubernetesCluster, gateway: EnvoyGateway, bucket: FakeBucket, tmp_path: Path
) -> None:
    """Its namespace is the stack's own, goes with it, and is nobody else's.

    The release's files come from object storage, as in the stack file that is shipped.
    """
    with project_in(cluster, "late", tmp_path) as project:
        project.makes_namespace = True
        project.learn_the_cluster_late()
        model = models_in(bucket, project, SECRET_KEY, (SERVICE, "1"))
        project.declare_digits("1", serving={"model": model})

        preview = project.preview()
        refused = project.up(expect_failure=True)

        assert "LoadTestGate" in preview.output
        assert "namespace: 'late' cannot work: it exists already and was not" in refused.output
        assert project.left_objects() == []
        assert not [each for each in project.resources() if "PriorityClass" in each["type"]]

        # As an `up` that was killed leaves it.
        project.api.patch(Namespace, "late", {"metadata": {"annotations": OF_THE_STACK}})
        project.up()

        assert project.weights() == {project.outputs()["services"][SERVICE]["live"]: 100}
        assert not project.up().changes


def test_destroy_leaves_no_object(project: ClusterProject) -> None:
    project.destroy()

    wait_for("the end of all objects", lambda: not project.left_objects(), 60)
    assert project.objects(Pod) == []
    assert list(project.api.list(Role, namespace=GATES)) == []
    assert project.resources() == []
