"""A service on a cluster, as a stack file declares it, and what a preview makes of it."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.cloud.harness.project import CloudProject, digest_of

RUNNER = "runner@sha256:" + "5" * 64
"""In the registry of the cluster."""
DISABLED = {"pulumi:disable-default-providers": ["tidegate", "kubernetes"]}


def platform(**keys: Any) -> dict[str, Any]:
    """`tidegate:platform` of a cluster, with these keys in addition."""
    return {
        "kubernetes": {
            "namespace": "inference",
            "runnerImage": RUNNER,
            "image": "registry.test/tritonserver@sha256:" + "7" * 64,
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


def check_services_run_on(cluster: CloudProject, services: CloudProject, pool: str) -> None:
    """The stack of services takes from what the cluster's stack, maybe itself, has put out."""
    outputs = cluster.outputs()
    planned = list(_planned(services))
    (deployment,) = (each for each in planned if each["type"].endswith(":Deployment"))
    pod = deployment["inputs"]["spec"]["template"]["spec"]
    (made,) = (each for each in outputs["pools"] if each["name"] == pool)
    assert pod["nodeSelector"] == made["nodeLabels"]
    tainted = {each["key"] for each in pod["tolerations"]}
    assert {"nvidia.com/gpu", "tidegate.dev/purpose"} <= tainted
    told = _told_provider(services)
    assert told["kubeconfig"] == outputs["kubeconfig"]
    assert told["runnerImage"] == f"{outputs['registryUrl']}/{RUNNER}"
    assert [each["image"] for each in pod["initContainers"]] == [told["runnerImage"]]
    assert told["evidence"] == f"{outputs['releaseBucketUrl']}/evidence/{services.stack}"


def stack_on(cluster: CloudProject, pool: str) -> CloudProject:
    """A second stack, whose service runs on this pool of the first one's cluster."""
    other = cluster.beside("services")
    reference = f"organization/tidegate/{cluster.stack}"
    other.declare(
        {
            **DISABLED,
            "tidegate:platform": platform(clusterStack=reference),
            "tidegate:services": services(pool),
        }
    )
    return other


def _planned(project: CloudProject) -> Iterator[Mapping[str, Any]]:
    """The state of each resource that a preview would create."""
    plan = ("--show-secrets", "--save-plan", str(_plan_of(project)))
    run = project.pulumi("preview", "--json", *plan, "--stack", project.stack)
    for step in digest_of(run.output)["steps"]:
        if step["op"] == "create":
            yield step["newState"]


def _told_provider(project: CloudProject) -> dict[str, Any]:
    """How the provider of gates and switches is told to reach the cluster, by the last preview."""
    plans = json.loads(_plan_of(project).read_text())["resourcePlans"]
    (plan,) = (plans[urn] for urn in plans if "pulumi:providers:tidegate::" in urn)
    told = plan["goal"]["inputDiff"]["adds"]["kubernetes"]
    return dict(json.loads(json.loads(told["plaintext"])))


def _plan_of(project: CloudProject) -> Path:
    """It has the secrets that a preview itself leaves out."""
    return project.root / f"{project.stack}-plan.json"
