"""What goes wrong on a cluster: `up` says what, and the next one converges."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import yaml
from lightkube.models.admissionregistration_v1 import (
    MatchResources,
    NamedRuleWithOperations,
    RuleWithOperations,
    ValidatingAdmissionPolicyBindingSpec,
    ValidatingAdmissionPolicySpec,
    ValidatingWebhook,
    Validation,
    WebhookClientConfig,
)
from lightkube.models.core_v1 import ResourceQuotaSpec
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.resources.admissionregistration_v1 import (
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
    ValidatingWebhookConfiguration,
)
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Node as NodeObject
from lightkube.resources.core_v1 import Pod, ResourceQuota

from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.envoy_gateway import EnvoyGateway
from tests.cluster.harness.nodes import Kubelet, Node
from tests.cluster.many_services import ManyServices
from tests.cluster.project import ANY_DIGEST, POOL, ClusterProject
from tests.cluster.promotions import Promotions, promotions_in
from tests.engine.harness.command import Run
from tests.engine.harness.waiting import wait_for
from tidegate.cluster import names

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

GENERAL_NODES = ("general-0", "general-1")
MISSING_IMAGE = f"registry.test/nothing@{ANY_DIGEST}"
GIVEN_UP = " is not ready ("
"""Said of a slot before its time is over; afterwards within how long it was not ready."""
POLICY, POLICY_SAYS = "pods-have-owners", "pods of this team name their owner"
SAID_OF_A_RESTART = (
    " does not answer",
    " could not do it this time",
    " asks to come back later",
    "the API server has not answered",
)
"""By the provider, whose patience is longer than a restart takes, and by the gate's runner."""


@pytest.fixture(scope="module")
def shared(
    cluster: KubernetesCluster, gateway: EnvoyGateway, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Promotions]:
    with promotions_in(cluster, "failures", tmp_path_factory.mktemp("stack")) as promotions:
        yield promotions


@pytest.fixture
def promotions(shared: Promotions) -> Promotions:
    """A release is live, and a new one is declared."""
    shared.prepare()
    return shared


def test_slots_that_cannot_be_are_named_in_time(promotions: Promotions) -> None:
    """A webhook of the new release's pods is silent, a quota refuses those of `greedy` and a
    policy those of `denied`; `blank` has no image."""
    project = promotions.project
    greedy, denied, blank = (
        ManyServices(project, POOL, (name,)) for name in ("greedy", "denied", "blank")
    )
    for each in (greedy, denied, blank):
        each.publish()
    asyncio.run(greedy.pass_gates())
    settings = {**greedy.settings(), **denied.settings(), **blank.settings()}
    settings["denied"]["kubernetes"] |= {"gpus": 0}
    settings["blank"]["kubernetes"] |= {"image": MISSING_IMAGE, "gpus": 0}
    declare_beside(project, settings)
    with (
        webhook_that_is_silent(project, promotions.revision),
        policy_that_denies(project, "denied"),
        quota_without_room(project),
    ):
        refused = project.up(expect_failure=True)

    said = why_not_ready(refused, promotions.revision)
    assert 'failed calling webhook "pods.example.com"' in said
    assert "Whoever runs that webhook can say why" in said
    assert "exceeded quota: gpus" in why_not_ready(refused, "greedy-1-")
    said = why_not_ready(refused, "denied-1-")
    assert f"ValidatingAdmissionPolicy '{POLICY}' with binding '{POLICY}' denied request: " in said
    assert f"{POLICY_SAYS}. Whoever made that policy can say why" in said
    assert f"its image {MISSING_IMAGE} cannot be pulled" in why_not_ready(refused, "blank-1-")
    assert promotions.has_not_moved()

    # Two causes are mended, the services of the others are taken back.
    promotions.declare()
    declare_beside(project, greedy.settings())
    promotions.converges()
    for gone in ("denied-1-", "blank-1-"):
        wait_for("the end of what nobody declares", partial(nothing_is_left, project, gone), 60)
    (revision,) = greedy.revisions().values()
    assert project.server_pods(revision.id)


def test_a_gate_that_is_ended_decides_nothing(
    promotions: Promotions, cluster: KubernetesCluster
) -> None:
    """By an eviction, by hand, with its node: each time the next update asks it again."""
    project = promotions.project
    promotions.declare(gate={"profile": "test-long"})

    update = project.start_up()
    pod = promotions.running_gate()
    cluster.kubelet.evict(project.namespace, pod)
    evicted = update.wait()
    assert not evicted.succeeded
    assert f"Pod {pod} was evicted: The node was low on memory" in evicted.output

    update = project.start_up()
    promotions.running_gate()
    job = promotions.gate_jobs()[-1]
    project.api.delete(Job, job)
    deleted = update.wait()
    assert not deleted.succeeded
    assert f"Job {job} was deleted" in deleted.output

    with only_general_node(cluster, "spare-0"):
        update = project.start_up()
        promotions.running_gate()
        cluster.nodes.lose("spare-0")
        lost = update.wait()
    assert not lost.succeeded
    assert "was ended, its node was lost" in lost.output

    assert promotions.has_not_moved()
    promotions.declare()
    promotions.converges()


def test_an_api_server_that_restarts_meanwhile_is_waited_for(
    promotions: Promotions, cluster: KubernetesCluster
) -> None:
    update = promotions.project.start_up()
    promotions.running_gate()
    cluster.control_plane.restart_apiserver()

    run = update.wait()
    assert "Traceback" not in run.output
    if not run.succeeded:
        assert any(each in run.output for each in SAID_OF_A_RESTART), run.output
    promotions.converges()


def declare_beside(project: ClusterProject, services: dict[str, Any]) -> None:
    """Declare services beside what is declared."""
    declared = yaml.safe_load(project.stack_file.read_text(encoding="utf-8"))["config"]
    project.declare({**declared["tidegate:services"], **services})


def nothing_is_left(project: ClusterProject, revision: str) -> bool:
    return not project.left_objects(revision)


def why_not_ready(run: Run, revision: str) -> str:
    """What the update says of a slot, found by the beginning of its revision."""
    said = [
        line
        for line in run.output.splitlines()
        if revision in line and GIVEN_UP in line and "error" in line
    ]
    assert said, f"nothing is said of {revision}:\n{run.output}"
    return said[-1]


@contextmanager
def quota_without_room(project: ClusterProject) -> Iterator[None]:
    """A quota named `gpus` that is used up."""
    wait_for("the end of pods that go", lambda: not pods_that_go(project), 60)
    used = sum(len(project.server_pods(each)) for each in project.servers())
    hard = {"requests.nvidia.com/gpu": str(used)}
    project.api.create(
        ResourceQuota(metadata=ObjectMeta(name="gpus"), spec=ResourceQuotaSpec(hard=hard))
    )
    try:
        yield
    finally:
        project.api.delete(ResourceQuota, "gpus")


def pods_that_go(project: ClusterProject) -> list[str]:
    """Servers' pods that still use what a quota counts."""
    pods = project.objects(Pod)
    return [str(each.metadata.name) for each in pods if each.metadata.deletionTimestamp is not None]


@contextmanager
def policy_that_denies(project: ClusterProject, service: str) -> Iterator[None]:
    """A policy of the API server itself, about the pods of one service."""
    rule = NamedRuleWithOperations(
        apiGroups=[""], apiVersions=["v1"], operations=["CREATE"], resources=["pods"]
    )
    policy = ValidatingAdmissionPolicySpec(
        failurePolicy="Fail",
        matchConstraints=MatchResources(
            resourceRules=[rule],
            namespaceSelector=LabelSelector(
                matchLabels={"kubernetes.io/metadata.name": project.namespace}
            ),
            objectSelector=LabelSelector(matchLabels={names.SERVICE_LABEL: service}),
        ),
        validations=[Validation(expression="false", message=POLICY_SAYS)],
    )
    binding = ValidatingAdmissionPolicyBindingSpec(policyName=POLICY, validationActions=["Deny"])
    client, metadata = project.cluster.client(), ObjectMeta(name=POLICY)
    client.create(ValidatingAdmissionPolicy(metadata=metadata, spec=policy))
    client.create(ValidatingAdmissionPolicyBinding(metadata=metadata, spec=binding))
    try:
        yield
    finally:
        client.delete(ValidatingAdmissionPolicyBinding, POLICY)
        client.delete(ValidatingAdmissionPolicy, POLICY)


@contextmanager
def webhook_that_is_silent(project: ClusterProject, revision: str) -> Iterator[None]:
    """A webhook that nobody answers, about the pods of one revision."""
    webhook = ValidatingWebhook(
        name="pods.example.com",
        admissionReviewVersions=["v1"],
        clientConfig=WebhookClientConfig(url="https://127.0.0.1:9/pods"),
        sideEffects="None",
        failurePolicy="Fail",
        timeoutSeconds=2,
        namespaceSelector=LabelSelector(
            matchLabels={"kubernetes.io/metadata.name": project.namespace}
        ),
        objectSelector=LabelSelector(matchLabels={names.REVISION_LABEL: revision}),
        rules=[
            RuleWithOperations(
                apiGroups=[""], apiVersions=["v1"], operations=["CREATE"], resources=["pods"]
            )
        ],
    )
    client = project.cluster.client()
    client.create(
        ValidatingWebhookConfiguration(metadata=ObjectMeta(name="refuses-pods"), webhooks=[webhook])
    )
    try:
        yield
    finally:
        client.delete(ValidatingWebhookConfiguration, "refuses-pods")


@contextmanager
def only_general_node(cluster: KubernetesCluster, name: str) -> Iterator[None]:
    """A node that everything without a GPU is bound to meanwhile."""
    client = cluster.client()
    cluster.nodes.add(Node(name, Kubelet.STAND_IN))
    for each in GENERAL_NODES:
        client.patch(NodeObject, each, {"spec": {"unschedulable": True}})
    try:
        yield
    finally:
        for each in GENERAL_NODES:
            client.patch(NodeObject, each, {"spec": {"unschedulable": False}})
        cluster.nodes.remove(name)
