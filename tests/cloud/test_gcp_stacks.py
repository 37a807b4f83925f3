"""The stacks on Google Cloud through the real engine: made, unchanged, larger, other, gone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.gcp_clusters import (
    BUCKET,
    CLUSTER,
    CRYPTO_KEY,
    FILESTORE,
    IMAGES,
    KEY_RING,
    LUSTRE,
    NODE_POOL,
    SECURE_TRANSPORT,
    check_invariants,
)
from tests.cloud.harness.api_server import ApiServer, credential_calls, serve_clusters_of
from tests.cloud.harness.faults import Fault, release
from tests.cloud.harness.project import CloudProject, interrupt
from tests.cloud.harness.sdk_shapes import Sdk
from tests.cloud.harness.stacks import change_pool
from tests.cloud.services import check_services_run_on, stack_on

pytestmark = pytest.mark.cloud

Make = Callable[..., CloudProject]


@pytest.fixture(scope="module")
def sdk(sdk_cache: Path) -> Sdk:
    return Sdk("gcp", sdk_cache)


@pytest.fixture(scope="module")
def staging(make_cloud: Make, api_server: ApiServer) -> CloudProject:
    """The staging stack as it is declared, made without anything going wrong."""
    project = make_cloud(stack="gcp-staging")
    serve_clusters_of(project, api_server)
    project.up(checkpoints=False)
    return project


@pytest.fixture(scope="module")
def staging_end(staging: CloudProject) -> dict[str, Any]:
    return staging.end_state()


def test_an_update_that_failed_and_was_interrupted_ends_like_one_that_was_not(
    make_cloud: Make, staging_end: dict[str, Any]
) -> None:
    project = make_cloud(stack="gcp-staging")
    project.fault(
        Fault("create", "refuse", type="gcp:compute/subnetwork:Subnetwork"),
        Fault("create", "unhealthy", type=CLUSTER),
    )
    project.up(expect_failure=True)
    project.up(expect_failure=True)
    project.fault(Fault("create", "delayAnswer", name="gpu-staging-l4", seconds=180))
    seen = len(project.cloud.operations())
    run = project.start_up()
    project.cloud.wait_for(
        lambda each: (each.action, each.name) == ("create", "gpu-staging-l4"), seen
    )
    interrupt(run)
    release(project.cloud)
    assert not run.wait().succeeded
    project.up()
    assert project.end_state() == staging_end
    assert project.cloud.orphans(project.resources()) == []


def test_services_of_another_stack_run_on_it(staging: CloudProject, api_server: ApiServer) -> None:
    check_services_run_on(staging, stack_on(staging, "l4"), "l4")
    assert credential_calls(staging) == {"gke-gcloud-auth-plugin"}
    assert "/apis/apps/v1/namespaces/inference/deployments" in api_server.asked


def test_staging_stays_grows_changes_its_machines_and_goes(
    staging: CloudProject, staging_end: dict[str, Any], sdk: Sdk
) -> None:
    project = staging
    check_invariants(project, sdk)
    assert not project.up(checkpoints=False).changes
    assert project.end_state() == staging_end

    change_pool(project, "l4", nodes={"min": 2, "max": 6})
    run = project.up(checkpoints=False)
    assert "1 updated" in run.output
    assert "replaced" not in run.output
    (pool,) = (each for each in project.cloud.objects(NODE_POOL) if each.name.endswith("-l4"))
    assert pool.inputs["autoscaling"]["totalMaxNodeCount"] == 6

    change_pool(project, "l4", machineType="g2-standard-96")
    seen = len(project.cloud.operations())
    project.up(checkpoints=False)
    # The new nodes first, then the old ones go; nothing else is touched.
    assert _pool_actions(project, seen) == ["create", "delete"]
    assert {each.type for each in project.cloud.operations()[seen:]} == {NODE_POOL}

    project.destroy(checkpoints=False)
    assert project.cloud.objects() == []


def test_production_stays_grows_changes_reserved_nodes_and_keeps_data_at_its_end(
    make_cloud: Make, sdk: Sdk
) -> None:
    project = make_cloud(stack="gcp-prod")
    project.up(checkpoints=False)
    check_invariants(project, sdk)
    assert not project.up(checkpoints=False).changes

    # A reservation has no room for new nodes beside the old ones; a range grows in place.
    change_pool(project, "h200", machineType="a4-highgpu-8g")
    change_pool(project, "b200", nodes={"min": 0, "max": 24})
    seen = len(project.cloud.operations())
    project.up(checkpoints=False)
    assert _pool_actions(project, seen, "-h200") == ["delete", "create"]
    assert _pool_actions(project, seen, "-b200") == ["update"]
    assert len(_pool_actions(project, seen)) == 3
    check_invariants(project, sdk)

    there = project.cloud.objects()
    run = project.start("destroy", "--yes", "--stack", project.stack, checkpoints=False).wait()
    assert not run.succeeded
    assert "protected" in run.output
    assert project.cloud.objects() == there

    project.unprotect()
    project.destroy(checkpoints=False)
    assert {each.type for each in project.cloud.objects()} == {
        BUCKET,
        CLUSTER,
        CRYPTO_KEY,
        FILESTORE,
        IMAGES,
        KEY_RING,
        LUSTRE,
        SECURE_TRANSPORT,
    }


def _pool_actions(project: CloudProject, seen: int, ending: str = "") -> list[str]:
    """What was done to node pools after the first `seen` operations, in order."""
    later = project.cloud.operations()[seen:]
    pools = [each for each in later if each.phase == "end" and each.type == NODE_POOL]
    return [each.action for each in pools if each.name.endswith(ending)]
