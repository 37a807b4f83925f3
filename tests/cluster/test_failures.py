"""What goes wrong on a cluster: `up` says what, and the next one converges."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from lightkube.models.admissionregistration_v1 import (
    RuleWithOperations,
    ValidatingWebhook,
    WebhookClientConfig,
)
from lightkube.models.core_v1 import ResourceQuotaSpec
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.resources.admissionregistration_v1 import ValidatingWebhookConfiguration
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Node as NodeObject
from lightkube.resources.core_v1 import ResourceQuota

from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.envoy_gateway import EnvoyGateway
from tests.cluster.harness.nodes import Kubelet, Node
from tests.cluster.project import ANY_DIGEST, ClusterProject, project_in
from tests.engine.harness.command import Command
from tests.engine.harness.waiting import wait_for
from tidegate.cluster import names

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

Kill = Callable[[ClusterProject, Command], None]
GENERAL_NODES = ("general-0", "general-1")
SLOW_CANARY = {
    "strategy": "canary",
    "steps": [{"weight": 30, "seconds": 600}],
    "minimumRequests": 100,
    "maxRegression": {"errorRate": 0.2, "latency": {}},
}


@pytest.fixture(scope="module")
def shared(
    cluster: KubernetesCluster, gateway: EnvoyGateway, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClusterProject]:
    """The stack that the tests share."""
    with project_in(cluster, "failures", tmp_path_factory.mktemp("stack")) as project:
        yield project


@pytest.fixture
def project(shared: ClusterProject) -> ClusterProject:
    """The shared stack with digits@1 live and nothing beside it."""
    shared.declare_digits("1")
    shared.settle()
    return shared


@pytest.fixture
def new(project: ClusterProject) -> str:
    """A release declared beside digits@1, which is live."""
    name = project.new_release()
    project.declare_digits(name, standby="1")
    return name


def running_gate(project: ClusterProject, revision: str) -> str:
    """Name of the pod that runs the revision's gate."""

    def pod() -> str | None:
        for each in project.runner_pods("gate"):
            labels = each.metadata.labels
            if labels[names.REVISION_LABEL] == revision and each.status.phase == "Running":
                return str(each.metadata.name)
        return None

    return wait_for(f"the gate of {revision}", pod, 120)


def converges(project: ClusterProject, new: str) -> None:
    """The next update ends in what is declared, and leaves nothing to do."""
    project.up()
    assert project.weights() == {project.revision(new): 100, project.revision("1"): 0}
    assert not project.preview().changes


def test_an_evicted_gate_decides_nothing(project: ClusterProject, new: str) -> None:
    update = project.start_up()
    pod = running_gate(project, project.revision(new))
    project.cluster.kubelet.evict(project.namespace, pod)
    run = update.wait()

    assert not run.succeeded
    assert f"Pod {pod} was evicted: The node was low on memory" in run.output
    assert project.weights() == {project.revision("1"): 100}
    converges(project, new)


def test_a_deleted_gate_decides_nothing(project: ClusterProject, new: str) -> None:
    update = project.start_up()
    running_gate(project, project.revision(new))
    job = names.gate_job(project.revision(new), 1)
    project.api.delete(Job, job)
    run = update.wait()

    assert not run.succeeded
    assert f"Job {job} was deleted" in run.output
    converges(project, new)


def test_a_gate_whose_node_is_lost_decides_nothing(project: ClusterProject, new: str) -> None:
    nodes, client = project.cluster.nodes, project.cluster.client()
    nodes.add(Node("spare-0", Kubelet.STAND_IN))
    for each in GENERAL_NODES:
        client.patch(NodeObject, each, {"spec": {"unschedulable": True}})
    try:
        update = project.start_up()
        running_gate(project, project.revision(new))
        nodes.lose("spare-0")
        run = update.wait()
    finally:
        for each in GENERAL_NODES:
            client.patch(NodeObject, each, {"spec": {"unschedulable": False}})
        nodes.remove("spare-0")

    assert not run.succeeded
    assert "was ended, its node was lost" in run.output
    converges(project, new)


def test_an_image_that_cannot_be_pulled_is_named_in_time(project: ClusterProject) -> None:
    missing = f"registry.test/nothing@{ANY_DIGEST}"
    project.declare_digits(project.new_release(), standby="1", serving={"image": missing})
    began = time.monotonic()

    refused = project.up(expect_failure=True)

    assert time.monotonic() - began < 90
    assert f"its image {missing} cannot be pulled" in refused.output
    assert project.weights() == {project.revision("1"): 100}


def test_an_api_server_that_restarts_meanwhile_is_waited_for(
    project: ClusterProject, new: str
) -> None:
    update = project.start_up()
    running_gate(project, project.revision(new))
    project.cluster.control_plane.restart_apiserver()

    run = update.wait()
    if not run.succeeded:
        assert "Traceback" not in run.output
    converges(project, new)


def test_a_quota_without_room_is_named_in_time(project: ClusterProject, new: str) -> None:
    used = len(project.server_pods(project.revision("1")))
    quota = ResourceQuota(
        metadata=ObjectMeta(name="gpus"),
        spec=ResourceQuotaSpec(hard={"requests.nvidia.com/gpu": str(used)}),
    )
    project.api.create(quota)
    began = time.monotonic()
    try:
        refused = project.up(expect_failure=True)
    finally:
        project.api.delete(ResourceQuota, "gpus")

    assert time.monotonic() - began < 90
    assert f"{project.revision(new)} is not ready" in refused.output
    assert "exceeded quota: gpus" in refused.output
    converges(project, new)


def test_a_webhook_that_refuses_pods_is_named(project: ClusterProject, new: str) -> None:
    nobody = "https://127.0.0.1:9/pods"
    webhook = ValidatingWebhook(
        name="pods.example.com",
        admissionReviewVersions=["v1"],
        clientConfig=WebhookClientConfig(url=nobody),
        sideEffects="None",
        failurePolicy="Fail",
        timeoutSeconds=2,
        namespaceSelector=LabelSelector(
            matchLabels={"kubernetes.io/metadata.name": project.namespace}
        ),
        rules=[
            RuleWithOperations(
                apiGroups=[""], apiVersions=["v1"], operations=["CREATE"], resources=["pods"]
            )
        ],
    )
    made = ValidatingWebhookConfiguration(
        metadata=ObjectMeta(name="refuses-pods"), webhooks=[webhook]
    )
    client = project.cluster.client()
    client.create(made)
    try:
        refused = project.up(expect_failure=True)
    finally:
        client.delete(ValidatingWebhookConfiguration, "refuses-pods")

    assert f"{project.revision(new)} is not ready" in refused.output
    assert 'failed calling webhook "pods.example.com"' in refused.output
    assert "Whoever runs that webhook can say why" in refused.output
    converges(project, new)


def kill_engine(project: ClusterProject, update: Command) -> None:
    update.kill()
    update.wait()
    project.cancel()


def kill_provider(_project: ClusterProject, update: Command) -> None:
    os.kill(wait_for("the provider", update.provider_pid), signal.SIGKILL)
    update.wait()


@pytest.mark.parametrize("then", ["up again", "revert and up"])
@pytest.mark.parametrize("kill", [kill_engine, kill_provider])
def test_kill_during_a_gate_ends_in_the_declared_state(
    project: ClusterProject, new: str, kill: Kill, then: str
) -> None:
    one, two = project.revision("1"), project.revision(new)
    update = project.start_up()
    running_gate(project, two)
    kill(project, update)

    ends_as_declared(project, new, then, one, two)


@pytest.mark.parametrize("then", ["up again", "revert and up"])
@pytest.mark.parametrize("kill", [kill_engine, kill_provider])
def test_kill_during_a_canary_ends_in_the_declared_state(
    project: ClusterProject, new: str, kill: Kill, then: str
) -> None:
    one, two = project.revision("1"), project.revision(new)
    project.declare_digits(new, standby="1", switch=SLOW_CANARY)
    update = project.start_canary(two, 30)
    kill(project, update)

    # Nobody wants the canary any more: another way is declared.
    project.declare_digits(new, standby="1")
    ends_as_declared(project, new, then, one, two)


def ends_as_declared(project: ClusterProject, new: str, then: str, one: str, two: str) -> None:
    if then == "revert and up":
        project.declare_digits("1")
    project.up()
    if then == "up again":
        assert project.weights() == {two: 100, one: 0}
    else:
        assert project.weights() == {one: 100}
        wait_for("the end of what nobody declares", lambda: not project.left_objects(two), 60)
    assert not project.preview().changes
    project.refresh("--clear-pending-creates")
