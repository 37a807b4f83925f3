"""A service on a cluster, as a stack file declares it, and what a preview makes of it."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.cloud.harness.project import CloudProject, digest_of

DISABLED = {"pulumi:disable-default-providers": ["tidegate", "kubernetes"]}


def platform(**keys: Any) -> dict[str, Any]:
    """`tidegate:platform` of a cluster, with these keys in addition."""
    return {
        "kubernetes": {
            "namespace": "inference",
            "runnerImage": "registry.test/runner@sha256:" + "5" * 64,
            "image": "registry.test/tritonserver@sha256:" + "7" * 64,
            "evidence": "s3://evidence/tidegate",
            **keys,
        }
    }


def services(pool: str) -> dict[str, Any]:
    """`tidegate:services`: one on this pool."""
    model = {"objectStorage": {"url": "s3://models/serving"}}
    return {
        "digits": {
            "release": "digits@1",
            "gate": {"profile": "quick"},
            "kubernetes": {"pool": pool, "model": model},
        }
    }


def check_another_stacks_services_run_on(cluster: CloudProject, pool: str) -> None:
    """A second stack takes kubeconfig and pools from what the cluster's stack put out."""
    outputs = cluster.outputs()
    other = cluster.beside("services")
    reference = f"organization/tidegate/{cluster.stack}"
    pools = {each["name"]: _without_name(each) for each in outputs["pools"]}
    other.declare(
        {
            **DISABLED,
            "tidegate:platform": platform(clusterStack=reference, pools=pools),
            "tidegate:services": services(pool),
        }
    )
    planned = list(_planned(other))
    (deployment,) = (each for each in planned if each["type"].endswith(":Deployment"))
    pod = deployment["inputs"]["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == pools[pool]["nodeLabels"]
    tainted = {each["key"] for each in pod["tolerations"]}
    assert {"nvidia.com/gpu", "tidegate.dev/purpose"} <= tainted


def _planned(project: CloudProject) -> Iterator[Mapping[str, Any]]:
    """The state of each resource that a preview would create."""
    run = project.pulumi("preview", "--json", "--stack", project.stack)
    for step in digest_of(run.output)["steps"]:
        if step["op"] == "create":
            yield step["newState"]


def _without_name(pool: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in pool.items() if key != "name"}
