"""Fifty services in one stack, through engine, provider and API server.

Two are real from end to end: a Triton each, a gate that sends its load, a switch in a Job; one of
them is promoted, rolled back, refused and turned back among the others. The other forty-eight have
all of their objects, judged by the same API server, but kwok pretends their pods; their gates have
passed before this stack, and in place of their switches' and drains' Jobs the test writes what
those would write. Envoy Gateway is real for all fifty and has to accept their routes.

It takes minutes and so is no part of `make test`.
"""

import asyncio
import shlex
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Pod

from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.envoy_gateway import EnvoyGateway
from tests.cluster.harness.programs import python_image
from tests.cluster.many_services import (
    ManyServices,
    PretendedJobs,
    host_name,
    pretended_nodes,
    pretended_pool,
)
from tests.cluster.project import (
    HOST_NAME,
    LISTENER_PORT,
    POOL,
    ClusterProject,
    HTTPRoute,
    project_in,
)
from tests.cluster.users import Users, revision_of
from tests.engine.harness.command import Run
from tests.engine.harness.project import UNDECIDED, UNDECIDED_RETRIES
from tests.engine.harness.releases import SERVICE, WRONG_ANSWERS, worse_while_there_is
from tests.engine.harness.waiting import wait_for
from tidegate.cluster import names
from tidegate.cluster.client import connect
from tidegate.kubernetes.gateway_objects import reference
from tidegate.spec.kubernetes_gateway import NewGateway
from tidegate.traffic.gateway_api.recorded import Recorded, RecordedRoutes
from tidegate.traffic.routes import REVISION_HEADER

pytestmark = [pytest.mark.cluster, pytest.mark.extended, pytest.mark.timeout(2400)]

SERVICES = 50
REAL = "real"
PRETENDED = tuple(f"pretended-{number:02d}" for number in range(SERVICES - 2))
PRETENDED_POOL = "pretended"
PATIENCE_SECONDS = 480.0
BROKEN = Path("/tmp/broken")  # noqa: S108 - in the pods of the release
CANARY = {
    "strategy": "canary",
    "steps": [{"weight": 30, "seconds": 20}],
    "minimumRequests": 100,
    "maxRegression": {"errorRate": 0.05, "latency": {}},
}
RUNNER_IMAGE = "registry.test/tidegate/runner:many"
RUNNER = """#!/bin/sh
case "$TIDEGATE_RUN" in
  switch.pretended-*|drain.pretended-*) trap "exit 0" TERM; sleep 300 & wait; exit 1 ;;
esac
exec {python} "$@"
"""
"""Jobs that move a pretended service's traffic have nothing to do; all others are the real ones."""


class Stack:
    """One project with all the services: digits, another real one, the pretended ones."""

    def __init__(self, project: ClusterProject) -> None:
        self.project = project
        self.real = ManyServices(project, POOL, (REAL,))
        self.pretended = ManyServices(project, PRETENDED_POOL, PRETENDED)
        for each in (self.real, self.pretended):
            each.publish()
        self._platform = project.platform
        kubernetes = self._platform["kubernetes"]
        kubernetes["runnerImage"] = RUNNER_IMAGE
        kubernetes["pools"][PRETENDED_POOL] = pretended_pool(PRETENDED_POOL)
        asyncio.run(self.pretended.pass_gates())

    def declare_real(self) -> None:
        self._declare("1", None, self.real.settings())

    def declare_all(self, release: str = "1", standby: str | None = None, **digits: Any) -> None:
        """Releases and further settings are those of digits."""
        beside = {**self.real.settings(), **self.pretended.settings()}
        self._declare(release, standby, beside, **digits)

    def _declare(
        self, release: str, standby: str | None, beside: dict[str, Any], **digits: Any
    ) -> None:
        self.project.declare_digits(release, standby, **digits)
        declared = yaml.safe_load(self.project.stack_file.read_text(encoding="utf-8"))["config"]
        self.project.declare({**declared["tidegate:services"], **beside}, self._platform)

    def run(self, *arguments: str) -> Run:
        """Run pulumi, which needs more time here than elsewhere."""
        ended = self._ended(*arguments)
        assert ended.succeeded, ended.output[-5000:]
        return ended

    def refused(self) -> Run:
        """An `up` that fails."""
        ended = self._ended("up")
        assert not ended.succeeded, ended.output[-5000:]
        return ended

    def _ended(self, *arguments: str) -> Run:
        """A gate that decided nothing is asked again, as its message says."""
        for _ in range(UNDECIDED_RETRIES):
            run = self.project.start(*arguments, "--yes", "--skip-preview", "--stack", "test")
            ended = run.wait(PATIENCE_SECONDS)
            if UNDECIDED not in ended.output:
                break
        return ended

    @property
    def revisions(self) -> dict[str, str]:
        found = {**self.real.revisions(), **self.pretended.revisions()}
        ids = {service: revision.id for service, revision in found.items()}
        return {SERVICE: self.project.revision("1"), **ids}

    def recorded(self) -> list[Recorded]:
        """Routes of every service as the API server has them."""
        return asyncio.run(self._recorded())

    async def _recorded(self) -> list[Recorded]:
        client = connect(self.project.cluster.kubeconfig, None, self.project.namespace)
        try:
            where = reference(NewGateway(), self.project.namespace)
            return await RecordedRoutes(client, where).all()
        finally:
            await client.close()


@pytest.fixture
def stack(cluster: KubernetesCluster, gateway: EnvoyGateway, tmp_path: Path) -> Iterator[Stack]:
    runner = tmp_path / "python"
    runner.write_text(RUNNER.format(python=shlex.quote(sys.executable)))
    runner.chmod(0o755)
    image = python_image()
    path = f"/opt/many:{image.environment['PATH']}"
    cluster.images.add(
        RUNNER_IMAGE,
        replace(
            image,
            mounts={**image.mounts, "/opt/many/python": runner},
            environment={**image.environment, "PATH": path},
        ),
    )
    nodes = pretended_nodes(PRETENDED_POOL, len(PRETENDED))
    cluster.nodes.add(*nodes)
    try:
        with (
            project_in(cluster, "many", tmp_path) as project,
            PretendedJobs(cluster, "many", PRETENDED),
        ):
            yield Stack(project)
    finally:
        for each in nodes:
            cluster.nodes.remove(each.name)


def test_fifty_services_come_stay_and_go(stack: Stack, gateway: EnvoyGateway) -> None:
    project, revisions = stack.project, stack.revisions

    # First: a load test beside so many other steps would only measure a busy machine.
    stack.declare_real()
    project.up()
    stack.declare_all()
    first = stack.run("up")

    assert "unknown field" not in first.output, "the API server warns of what it drops"
    assert {each.routes.service: dict(each.routes.weights) for each in stack.recorded()} == {
        service: {revision: 100} for service, revision in revisions.items()
    }
    assert project.servers() == set(revisions.values())
    gated = {each.metadata.labels[names.SERVICE_LABEL] for each in gates(project)}
    assert gated == {SERVICE, REAL}
    for service in (SERVICE, REAL):
        assert answered_by(project, gateway, service) == revisions[service]
    wait_for("Envoy Gateway's word on all routes", lambda: are_accepted(stack.recorded()), 60)

    assert not stack.run("up").changes

    promoted_and_rolled_back(stack, gateway)
    refused_by_its_gate(stack)
    turned_back(stack, gateway)
    assert {
        each.routes.service: dict(each.routes.weights)
        for each in stack.recorded()
        if each.routes.service != SERVICE
    } == {service: {revision: 100} for service, revision in revisions.items() if service != SERVICE}

    stack.run("destroy")

    wait_for("the end of all objects", lambda: not project.left_objects(), 60)
    wait_for("the end of all pods", lambda: not project.objects(Pod), 60)
    assert project.objects(HTTPRoute) == []
    assert project.resources() == []


def promoted_and_rolled_back(stack: Stack, gateway: EnvoyGateway) -> None:
    project = stack.project
    one, release = project.revision("1"), project.new_release()
    two = project.revision(release)
    with Users(project, gateway) as users:
        stack.declare_all(release, standby="1")
        stack.run("up")
        assert project.weights() == {one: 0, two: 100}
        before = len(gates(project))
        stack.declare_all("1", standby=release)
        stack.run("up")
        assert project.weights() == {one: 100, two: 0}
        assert len(gates(project)) == before, "no gate to wait for"
    assert users.failures == []
    assert users.revisions == [one, two, one]


def refused_by_its_gate(stack: Stack) -> None:
    project = stack.project
    bad = project.new_release(WRONG_ANSWERS.apply)
    stack.declare_all(bad, standby="1")

    assert f"{SERVICE}@{bad} takes no traffic. FAIL" in stack.refused().output
    assert project.weights()[project.revision("1")] == 100


def turned_back(stack: Stack, gateway: EnvoyGateway) -> None:
    project = stack.project
    worse = project.new_release(worse_while_there_is(BROKEN, Path("/none")).apply)
    one, two = project.revision("1"), project.revision(worse)
    stack.declare_all(worse, standby="1", switch=CANARY)
    with Users(project, gateway):
        update = project.start_canary(two, 30)
        for pod in project.server_pods(two):
            project.cluster.kubelet.execute(project.namespace, pod, ["touch", str(BROKEN)])
        run = update.wait(PATIENCE_SECONDS)

    assert not run.succeeded
    assert f"{one} takes all traffic of {SERVICE} again" in run.output
    assert project.weights()[one] == 100


def gates(project: ClusterProject) -> list[Any]:
    """Jobs of gates."""
    return project.objects(Job, {names.JOB_LABEL: "gate"})


def are_accepted(recorded: list[Recorded]) -> bool:
    return len(recorded) == SERVICES and all(
        each.is_settled and not each.problems for each in recorded
    )


def answered_by(project: ClusterProject, gateway: EnvoyGateway, service: str) -> str:
    """The revision that answers a user of the service through the Gateway."""
    (address,) = gateway.envoys(project.namespace, "tidegate")
    answer = httpx.get(
        f"http://{address}:{LISTENER_PORT}/v2/models/{service}/ready",
        headers={"host": HOST_NAME if service == SERVICE else host_name(service)},
        trust_env=False,
    )
    assert answer.status_code == httpx.codes.OK, answer.text
    return revision_of(answer.headers[REVISION_HEADER])
