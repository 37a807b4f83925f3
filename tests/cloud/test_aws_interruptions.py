"""Whatever stops an `up`, the next ones come to the same end, and nothing is lost sight of."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.cloud.harness.faults import Fault, release
from tests.cloud.harness.project import CloudProject, interrupt
from tests.engine.harness.waiting import wait_for

pytestmark = pytest.mark.cloud

CLUSTER = "aws:eks/cluster:Cluster"
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
FILES = "aws:efs/fileSystem:FileSystem"
LONG = 180.0


@pytest.fixture(scope="module")
def undisturbed(make_cloud: Callable[..., CloudProject]) -> dict[str, Any]:
    """What the stack comes to when nothing stops it."""
    project = make_cloud(stack="aws-staging")
    project.up(checkpoints=False)
    return project.end_state()


@pytest.fixture(scope="module")
def project(make_cloud: Callable[..., CloudProject]) -> CloudProject:
    """A stack that each test takes a little further."""
    return make_cloud(stack="aws-staging")


def test_a_refusal_stops_what_depends_on_it_alone(project: CloudProject) -> None:
    project.fault(Fault("create", "refuse", type=CLUSTER, message="LimitExceeded: clusters"))
    run = project.up(expect_failure=True)
    assert "LimitExceeded: clusters" in run.output
    types = {each.type for each in project.cloud.objects()}
    assert not {CLUSTER, NODE_GROUP} & types
    assert {"aws:s3/bucket:Bucket", "aws:ec2/vpc:Vpc"} <= types
    assert project.cloud.orphans(project.resources()) == []


def test_an_interrupted_up_waits_for_what_is_under_way(project: CloudProject) -> None:
    project.fault(Fault("create", "delayAnswer", type=CLUSTER, seconds=LONG))
    up = project.start_up()
    _wait_until_made(project, CLUSTER)
    interrupt(up)
    release(project.cloud)
    assert not up.wait().succeeded
    deployment = project.deployment()
    assert not deployment.get("pending_operations")
    assert project.cloud.orphans(deployment["resources"]) == []


def test_a_node_group_that_never_becomes_healthy_is_recorded(project: CloudProject) -> None:
    project.fault(Fault("create", "unhealthy", type=NODE_GROUP, name="tidegate-staging-l40s"))
    run = project.up(expect_failure=True)
    assert "InsufficientInstanceCapacity" in run.output
    assert project.cloud.orphans(project.resources()) == []


def test_after_all_of_it_the_stack_is_as_if_nothing_had_been(
    project: CloudProject, undisturbed: dict[str, Any]
) -> None:
    project.fault()
    project.up()
    assert project.end_state() == undisturbed
    assert project.cloud.orphans(project.resources()) == []


def test_what_a_killed_up_made_is_found_by_its_tags(
    make_cloud: Callable[..., CloudProject], undisturbed: dict[str, Any]
) -> None:
    project = make_cloud(stack="aws-staging")
    project.fault(Fault("create", "delayAnswer", type=FILES, seconds=LONG))
    # One at a time, so that nothing else is under way: some names cannot be given twice.
    up = project.start_up("--parallel", "1")
    _wait_until_made(project, FILES)
    up.kill()
    up.wait()
    project.fault()
    project.cancel()
    project.up()
    assert project.end_state() == undisturbed
    left = project.cloud.orphans(project.resources())
    assert [each.type for each in left] == [FILES]
    assert left[0].tags["tidegate-cluster"] == "tidegate-staging"


def _wait_until_made(project: CloudProject, type_token: str) -> None:
    wait_for(type_token, lambda: project.cloud.objects(type_token), LONG)
