"""The staging stack's life: made, unchanged, scaled out, of another type, elsewhere, gone."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.cloud.harness.api_server import ApiServer, credential_calls, serve_clusters_of
from tests.cloud.harness.project import CloudProject
from tests.cloud.harness.stacks import change_pool
from tests.cloud.services import check_services_run_on, stack_on

pytestmark = pytest.mark.cloud

NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
POOL = "tidegate-staging-l40s"


@pytest.fixture(scope="module")
def staging(make_cloud: Callable[..., CloudProject], api_server: ApiServer) -> CloudProject:
    project = make_cloud(stack="aws-staging")
    serve_clusters_of(project, api_server)
    project.up(checkpoints=False)
    return project


def test_a_second_up_changes_nothing(staging: CloudProject) -> None:
    assert not staging.up(checkpoints=False).changes
    assert staging.cloud.orphans(staging.resources()) == []


def test_services_of_another_stack_run_on_it(staging: CloudProject, api_server: ApiServer) -> None:
    check_services_run_on(staging, stack_on(staging, "l40s"), "l40s")
    name = staging.outputs()["clusterName"]
    assert credential_calls(staging) == {
        f"aws --region us-east-1 eks get-token --cluster-name {name}"
    }
    assert "/apis/apps/v1/namespaces/inference/deployments" in api_server.asked


def test_a_pool_scales_out_in_place(staging: CloudProject) -> None:
    before = _id(staging, NODE_GROUP)
    change_pool(staging, "l40s", nodes={"min": 1, "max": 8})
    assert _actions(staging) == [("update", NODE_GROUP)]
    assert _id(staging, NODE_GROUP) == before
    assert _pool(staging, NODE_GROUP)["scalingConfig"]["maxSize"] == 8


def test_another_machine_type_rolls_through_the_same_node_group(staging: CloudProject) -> None:
    before = _id(staging, NODE_GROUP)
    change_pool(staging, "l40s", machineType="g6e.24xlarge")
    assert _actions(staging) == [("update", TEMPLATE), ("update", NODE_GROUP)]
    assert _id(staging, NODE_GROUP) == before
    assert _pool(staging, TEMPLATE)["instanceType"] == "g6e.24xlarge"


def test_other_zones_make_the_new_node_group_before_the_old_one_goes(
    staging: CloudProject,
) -> None:
    before = _id(staging, NODE_GROUP)
    change_pool(staging, "l40s", zones=["us-east-1b"])
    assert _actions(staging) == [("create", NODE_GROUP), ("delete", NODE_GROUP)]
    assert _id(staging, NODE_GROUP) != before


def test_destroy_leaves_nothing(staging: CloudProject) -> None:
    staging.destroy(checkpoints=False)
    assert staging.cloud.objects() == []


def _actions(project: CloudProject) -> list[tuple[str, str]]:
    """What an `up` did to the cloud, in order."""
    seen = len(project.cloud.operations())
    project.up(checkpoints=False)
    done = project.cloud.operations()[seen:]
    return [(each.action, each.type) for each in done if each.phase == "begin"]


def _pool(project: CloudProject, type_token: str) -> dict[str, Any]:
    found = [each for each in project.cloud.objects(type_token) if each.name == POOL]
    assert len(found) == 1
    return found[0].inputs


def _id(project: CloudProject, type_token: str) -> str:
    return next(each.id for each in project.cloud.objects(type_token) if each.name == POOL)
