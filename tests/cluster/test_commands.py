"""What the person on call types, for a stack on a cluster."""

import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.models.rbac_v1 import PolicyRule, RoleRef, Subject
from lightkube.resources.core_v1 import ServiceAccount
from lightkube.resources.rbac_authorization_v1 import Role, RoleBinding

from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.envoy_gateway import EnvoyGateway
from tests.cluster.project import ClusterProject, project_in
from tests.cluster.users import Users
from tests.engine.harness.releases import SERVICE
from tests.engine.harness.tidegate_command import start_tidegate, tidegate
from tests.engine.harness.waiting import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

SLOW_CANARY = {
    "strategy": "canary",
    "steps": [{"weight": 30, "seconds": 120}],
    "minimumRequests": 100,
    "maxRegression": {"errorRate": 0.2, "latency": {}},
}
Rights = Sequence[tuple[str, Sequence[str], Sequence[str]]]
MAY_READ: Rights = (
    ("", ["configmaps"], ["get", "list"]),
    ("apps", ["deployments"], ["list"]),
    ("batch", ["jobs"], ["list"]),
    ("discovery.k8s.io", ["endpointslices"], ["list"]),
    ("leaderworkerset.x-k8s.io", ["leaderworkersets"], ["list"]),
    ("gateway.networking.k8s.io", ["gateways", "httproutes", "grpcroutes"], ["get", "list"]),
)
"""What docs/operations.md says that reading takes, but for the Envoys' own namespace."""
MAY_ROLL_BACK: Rights = (
    ("", ["configmaps"], ["create", "update", "patch"]),
    ("", ["pods"], ["list"]),
    ("batch", ["jobs"], ["get", "create", "delete"]),
    ("coordination.k8s.io", ["leases"], ["get", "create", "patch"]),
)
"""What a rollback takes in addition."""


@pytest.fixture(scope="module")
def project(
    cluster: KubernetesCluster, gateway: EnvoyGateway, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClusterProject]:
    """digits@101 was promoted and is live, digits@1 stands by. The tests follow one another."""
    with project_in(cluster, "commands", tmp_path_factory.mktemp("stack")) as made:
        made.declare_digits("1")
        made.up()
        made.declare_digits(made.new_release(), standby="1")
        made.up()
        yield made


@pytest.fixture(scope="module")
def new(project: ClusterProject) -> str:
    """The release that was promoted."""
    live = yaml.safe_load(project.stack_file.read_text())["config"]["tidegate:services"][SERVICE]
    return str(live["release"]).rpartition("@")[2]


def declared(project: ClusterProject) -> tuple[str, str]:
    settings = yaml.safe_load(project.stack_file.read_text())["config"]["tidegate:services"]
    return settings[SERVICE]["release"], settings[SERVICE]["standby"]


def test_status_tells_who_serves_and_what_users_ask(
    project: ClusterProject, gateway: EnvoyGateway, new: str
) -> None:
    def status_with_users() -> dict[str, Any] | None:
        typed = tidegate(project, "status", "--json")
        assert typed.exit_code == 0, typed.output
        status: dict[str, Any] = json.loads(typed.output)
        live, standby = status["revisions"]
        assert standby["requests_per_second"] == 0
        return status if live["requests_per_second"] > 10 else None

    with Users(project, gateway):
        status = wait_for("a second with users", status_with_users)

    assert status["gateway_serving"] and status["problems"] == []
    live, standby = status["revisions"]
    assert (live["revision"], live["role"], live["weight"]) == (project.revision(new), "live", 100)
    assert (standby["revision"], standby["role"]) == (project.revision("1"), "standby")
    for each in (live, standby):
        assert each["healthy"] and (each["servers_ready"], each["servers"]) == (1, 1)
        assert each["gate"] == "PASS"


def test_watch_shows_what_users_meet_until_it_is_interrupted(
    project: ClusterProject, gateway: EnvoyGateway, new: str
) -> None:
    with Users(project, gateway):
        process = start_tidegate(project, "watch", SERVICE, "--json")
        assert process.stdout is not None
        looks = [json.loads(process.stdout.readline()) for _ in range(3)]
        while looks[-1]["revisions"][0]["window"]["requestsPerSecond"] <= 10:
            looks.append(json.loads(process.stdout.readline()))
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=120)

    assert process.returncode == 130, rest
    live, standby = looks[-1]["revisions"]
    assert live["revision"] == project.revision(new) and live["weight"] == 100
    assert live["window"]["errors"] == 0
    assert live["window"]["p50Milliseconds"] > 0
    assert standby["healthy"] and standby["window"]["requests"] == 0


def test_reading_takes_few_rights_and_says_which_numbers_are_missing(
    project: ClusterProject, cluster: KubernetesCluster, tmp_path: Path
) -> None:
    account = "reader"
    project.api.create(ServiceAccount(metadata=ObjectMeta(name=account)))
    reader = cluster.kubeconfig_for(project.namespace, account)
    with other_kubeconfig(project, tmp_path, reader):
        refused = tidegate(project, "status")
    assert refused.exit_code == 2
    assert 'cannot list resource "configmaps"' in refused.output
    assert "Traceback" not in refused.output

    allow(project, account, MAY_READ)
    with other_kubeconfig(project, tmp_path, reader):
        status, told = tidegate(project, "status"), tidegate(project, "history", SERVICE)
    assert status.exit_code == 0, status.output
    assert "what users meet is not known" in status.output
    assert 'cannot list resource "pods"' in status.output
    assert told.exit_code == 0 and "PASS" in told.output


def test_a_cluster_that_cannot_be_reached_is_named(project: ClusterProject, tmp_path: Path) -> None:
    nowhere = json.loads(project.cluster.kubeconfig)
    nowhere["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    with other_kubeconfig(project, tmp_path, json.dumps(nowhere)):
        for command in (("status",), ("rollback", SERVICE, "--now")):
            typed = tidegate(project, *command)
            assert typed.exit_code == 2, typed.output
            assert "https://127.0.0.1:9 does not answer" in typed.output


def test_rolled_back_at_once_without_a_lost_request(
    project: ClusterProject, gateway: EnvoyGateway, new: str
) -> None:
    one, two = project.revision("1"), project.revision(new)
    with Users(project, gateway) as users:
        back = tidegate(project, "rollback", SERVICE, "--now")

    assert back.exit_code == 0, back.output
    assert f"All traffic of {SERVICE} goes to {one}: moved in" in back.output
    assert "every Envoy has answered" in back.output
    assert users.failures == [] and users.revisions == [two, one]
    assert project.weights() == {one: 100, two: 0}
    assert declared(project) == (f"{SERVICE}@1", f"{SERVICE}@{new}")
    assert json.loads(tidegate(project, "status", "--json").output)["switches"] == []
    assert not project.preview().changes

    told = tidegate(project, "history", SERVICE).output
    assert "ROLLBACK --now" in told and f"gate {two}" in " ".join(told.split())
    again = tidegate(project, "rollback", SERVICE, "--now")
    assert again.exit_code == 2
    assert f"tidegate promote {SERVICE} {SERVICE}@{new} --up" in again.output


def test_it_takes_the_traffic_from_a_canary_that_another_update_follows(
    project: ClusterProject, gateway: EnvoyGateway, cluster: KubernetesCluster, tmp_path: Path
) -> None:
    """With no rights but those that a rollback takes."""
    one, canary = project.revision("1"), project.new_release()
    two = project.revision(canary)
    project.declare_digits(canary, standby="1", switch=SLOW_CANARY)
    account = "on-call"
    project.api.create(ServiceAccount(metadata=ObjectMeta(name=account)))
    allow(project, account, (*MAY_READ, *MAY_ROLL_BACK))
    on_call = cluster.kubeconfig_for(project.namespace, account)
    with Users(project, gateway) as users:
        update = project.start_canary(two, 30)
        status = json.loads(tidegate(project, "status", "--json").output)
        with other_kubeconfig(project, tmp_path, on_call):
            back = tidegate(project, "rollback", SERVICE, "--now", "--no-up")
        run = update.wait()

    assert f"to {two}" in status["switches"][0]["under_way"]
    assert back.exit_code == 0, back.output
    assert not run.succeeded
    assert f"{two} does not take the traffic" in run.output
    assert users.failures == [] and users.answers[-1] == one
    assert project.weights()[one] == 100
    refused = tidegate(project, "promote", SERVICE, canary, "--up")
    assert refused.exit_code == 1 and f"moved the traffic of {SERVICE} to {one}" in refused.output


@contextmanager
def other_kubeconfig(project: ClusterProject, folder: Path, content: str) -> Iterator[None]:
    """The stack file names another kubeconfig in between."""
    path, before = folder / "kubeconfig", project.stack_file.read_text()
    path.write_text(content)
    changed = yaml.safe_load(before)
    changed["config"]["tidegate:platform"]["kubernetes"]["kubeconfig"] = str(path)
    project.stack_file.write_text(yaml.safe_dump(changed, sort_keys=False))
    yield
    project.stack_file.write_text(before)


def allow(project: ClusterProject, account: str, rights: Rights) -> None:
    """Give the account these rights in the namespace."""
    meta = ObjectMeta(name=account)
    rules = [
        PolicyRule(verbs=list(verbs), apiGroups=[group], resources=list(resources))
        for group, resources, verbs in rights
    ]
    project.api.create(Role(metadata=meta, rules=rules))
    subject = Subject(kind="ServiceAccount", name=account, namespace=project.namespace)
    role = RoleRef(apiGroup="rbac.authorization.k8s.io", kind="Role", name=account)
    project.api.create(RoleBinding(metadata=meta, roleRef=role, subjects=[subject]))
