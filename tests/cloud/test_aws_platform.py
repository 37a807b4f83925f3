"""A cluster and the services on it in one stack: the first feeds the others."""

from collections.abc import Callable

import pytest

from tests.cloud.harness.project import CloudProject

pytestmark = pytest.mark.cloud

PLATFORM = {
    "kubernetes": {
        "namespace": "inference",
        "runnerImage": "registry.test/runner@sha256:" + "5" * 64,
        "image": "registry.test/tritonserver@sha256:" + "7" * 64,
        "evidence": "s3://evidence/tidegate",
    }
}
SERVICES = {
    "digits": {
        "release": "digits@1",
        "gate": {"profile": "quick"},
        "kubernetes": {
            "pool": "l40s",
            "model": {"objectStorage": {"url": "s3://models/serving"}},
        },
    }
}


def test_services_are_previewed_on_a_cluster_that_is_not_there_yet(
    make_cloud: Callable[..., CloudProject],
) -> None:
    project = make_cloud(stack="aws-staging")
    config = project.declared()["config"]
    project.declare({**config, "tidegate:platform": PLATFORM, "tidegate:services": SERVICES})
    output = project.preview().output
    assert "aws:eks/cluster:Cluster" in output
    assert "kubernetes:apps/v1:Deployment" in output
    assert "LoadTestGate" in output
