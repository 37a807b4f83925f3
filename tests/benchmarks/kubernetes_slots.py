"""Two releases of digits as slots of a test cluster, with the platform's own objects."""

from collections.abc import Mapping
from pathlib import Path

from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.programs import RUNNER_IMAGE, TRITON_IMAGE
from tests.cluster.routed_service import kind_of
from tidegate.cluster.client import Cluster
from tidegate.kubernetes.network import Network
from tidegate.kubernetes.platform_objects import (
    namespace_object,
    priority_class,
    priority_class_name,
)
from tidegate.kubernetes.slot_objects import slot_objects
from tidegate.spec.accelerator_pool import AcceleratorPool
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.spec.release import load_release
from tidegate.spec.revision import Probes, Revision
from tidegate.spec.serving_on_kubernetes import KubernetesServing, Replicas

POOL = AcceleratorPool(
    name="l4", node_labels={"tidegate.dev/accelerator-pool": "l4"}, gpus_per_node=4
)
DIGEST = f"sha256:{'0' * 64}"
READY_SECONDS = 120


def revisions_of(
    cluster: KubernetesCluster, serving_root: Path, service: str, releases: tuple[str, ...]
) -> Mapping[str, Revision]:
    """The releases as revisions by name; the files of each are an image in the registry."""
    found = {}
    for name in releases:
        release = load_release(serving_root, service, name)
        image = f"registry.test/models/{service}-{name}@{DIGEST}"
        cluster.images.add_artifact(image, serving_root / release.repository.path)
        serving = {
            "image": f"{TRITON_IMAGE}@{DIGEST}",
            "model": {"ociImage": {"reference": image}},
            "pool": POOL.name,
            "cpus": 1,
            "memoryGib": 2,
            "sharedMemoryGib": 0.5,
        }
        found[name] = Revision(
            platform="kubernetes",
            release=release,
            probes=Probes(ready_timeout_seconds=READY_SECONDS),
            kubernetes=KubernetesServing.model_validate(serving),
        )
    return found


async def make_namespace(cluster: Cluster) -> None:
    """The cluster's own namespace for slots, and their priority class."""
    for each in (
        namespace_object(cluster.namespace, "tests/slots"),
        priority_class(cluster.namespace),
    ):
        await cluster.apply(kind_of(each), each)


async def make_slot(cluster: Cluster, revision: Revision, gateway: GatewayReference) -> None:
    """Create every object of the revision's slot."""
    assert revision.kubernetes is not None
    network = Network(namespace=cluster.namespace, gateway=gateway, monitoring_namespace=None)
    slot = slot_objects(
        revision,
        revision.kubernetes,
        POOL,
        Replicas(),
        network=network,
        runner_image=RUNNER_IMAGE,
        priority_class=priority_class_name(cluster.namespace),
    )
    for each in (*slot.before, slot.workload, slot.service, slot.disruption_budget):
        await cluster.apply(kind_of(each), each)
