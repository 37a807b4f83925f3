"""A cluster and the services on it in one stack: the first feeds the others."""

from collections.abc import Callable

import pytest

from tests.cloud.harness.api_server import ApiServer, serve_clusters_of
from tests.cloud.harness.project import CloudProject
from tests.cloud.services import check_services_run_on, platform, services, stack_on

pytestmark = pytest.mark.cloud


def test_services_are_previewed_on_a_cluster_that_is_not_there_yet(
    make_cloud: Callable[..., CloudProject],
) -> None:
    project = make_cloud(stack="aws-staging")
    add_services(project)
    output = project.preview().output
    assert "aws:eks/cluster:Cluster" in output
    assert "kubernetes:apps/v1:Deployment" in output
    assert "LoadTestGate" in output


def test_services_are_told_of_a_cluster_that_is_there(
    make_cloud: Callable[..., CloudProject], api_server: ApiServer
) -> None:
    project = make_cloud(stack="aws-staging")
    serve_clusters_of(project, api_server)
    project.up(checkpoints=False)
    add_services(project)
    check_services_run_on(project, project, "l40s")


def add_services(project: CloudProject) -> None:
    """One, in the stack that makes the cluster itself."""
    config = project.declared()["config"]
    project.declare(
        {**config, "tidegate:platform": platform(), "tidegate:services": services("l40s")}
    )


def test_services_of_another_stack_wait_for_the_clusters_first_up(
    make_cloud: Callable[..., CloudProject],
) -> None:
    other = stack_on(make_cloud(stack="aws-staging"), "l40s")
    output = other.preview(expect_failure=True).output
    assert "clusterStack: 'organization/tidegate/aws-staging' cannot work" in output
    assert "has no output `kubeconfig`" in output
