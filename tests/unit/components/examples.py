"""One example of every component, for the contract that all of them keep."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws
import pulumi_gcp
import pulumi_kubernetes

from tests.unit.aws.examples import AWS_EXAMPLES
from tests.unit.gcp.examples import GCP_EXAMPLES
from tidegate.gate.profile import load_profile
from tidegate.kubernetes.gateway import KubernetesGateway, KubernetesGatewayArgs
from tidegate.kubernetes.platform import KubernetesPlatform, KubernetesPlatformArgs
from tidegate.local.platform import LocalPlatform, LocalPlatformArgs
from tidegate.serving import InferenceService, InferenceServiceArgs
from tidegate.spec.accelerator_pool import AcceleratorPool
from tidegate.spec.kubernetes_gateway import NewGateway
from tidegate.spec.model_source import ModelSource, ObjectStorage
from tidegate.spec.release import load_release
from tidegate.spec.revision import Probes, Revision
from tidegate.spec.serving_on_kubernetes import KubernetesServing

ROOT = Path(__file__).parents[3]
SERVING = ROOT / "serving"


def revision(release: str) -> Revision:
    return Revision(
        platform="local", release=load_release(SERVING, "digits", release), probes=Probes()
    )


def platform_arguments() -> LocalPlatformArgs:
    return LocalPlatformArgs(
        state_folder=Path("/state"),
        environment="test",
        stack_file="stacks/Pulumi.test.yaml",
        revisions=[revision("1").id, revision("2").id],
        services=["digits"],
    )


def service_arguments(standby: str | None = "2") -> InferenceServiceArgs:
    return InferenceServiceArgs(
        platform=LocalPlatform("platform", platform_arguments()),
        serving_root=SERVING,
        live=revision("1"),
        standby=revision(standby) if standby is not None else None,
        profile=load_profile(ROOT / "loadtests" / "profiles" / "quick.yaml"),
    )


IMAGE = "nvcr.io/nvidia/tritonserver:26.07-py3@sha256:" + "7" * 64
RUNNER_IMAGE = "registry.test/tidegate/runner@sha256:" + "5" * 64
L4 = AcceleratorPool(
    name="l4",
    node_labels={"tidegate.dev/accelerator-pool": "l4"},
    gpus_per_node=4,
    gpu_memory_gib=24,
)


def serving_on_kubernetes(**changes: Any) -> KubernetesServing:
    place = ModelSource(object_storage=ObjectStorage(url="s3://models/digits/1"))
    return KubernetesServing.model_validate(
        {"image": IMAGE, "model": place, "pool": "l4", **changes}
    )


def revision_on_kubernetes(release: str = "1", **changes: Any) -> Revision:
    return Revision(
        platform="kubernetes",
        release=load_release(SERVING, "digits", release),
        probes=Probes(),
        kubernetes=serving_on_kubernetes(**changes),
    )


def kubernetes_platform_arguments() -> KubernetesPlatformArgs:
    return KubernetesPlatformArgs(
        environment="test",
        stack_file="stacks/Pulumi.test.yaml",
        namespace="inference",
        runner_image=RUNNER_IMAGE,
        evidence="s3://evidence/tidegate",
        pools=[L4],
        gateway=NewGateway(),
        context="test",
    )


def gateway_arguments() -> KubernetesGatewayArgs:
    return KubernetesGatewayArgs(
        provider=pulumi_kubernetes.Provider("cluster", context="test"),
        namespace="inference",
        gateway=NewGateway(),
    )


EXAMPLES: dict[type[pulumi.ComponentResource], tuple[type, Callable[[], Any]]] = {
    LocalPlatform: (LocalPlatformArgs, platform_arguments),
    KubernetesPlatform: (KubernetesPlatformArgs, kubernetes_platform_arguments),
    KubernetesGateway: (KubernetesGatewayArgs, gateway_arguments),
    InferenceService: (InferenceServiceArgs, service_arguments),
    **AWS_EXAMPLES,
    **GCP_EXAMPLES,
}
"""Component class → its arguments' class, and what makes such arguments."""


def cloud_options(component: type[pulumi.ComponentResource]) -> pulumi.ResourceOptions | None:
    """The providers that components of a cloud get from whoever makes them."""
    cloud = component.__module__.split(".")[1]
    if cloud not in ("aws", "gcp"):
        return None
    inside = pulumi_kubernetes.Provider("in-the-cluster", context="test")
    if cloud == "aws":
        aws = pulumi_aws.Provider("in-the-cloud", region="us-east-2")
        return pulumi.ResourceOptions(providers=[inside, aws])
    gcp = pulumi_gcp.Provider("in-the-cloud", project="acme-gpu", region="us-central1")
    return pulumi.ResourceOptions(providers=[inside, gcp])
