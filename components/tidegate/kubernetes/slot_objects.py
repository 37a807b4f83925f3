"""Every object of a slot, as plain manifests."""

from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.cluster.names import (
    GRPC_PORT,
    GRPC_PORT_NAME,
    HTTP_PORT,
    HTTP_PORT_NAME,
    METRICS_PORT,
    METRICS_PORT_NAME,
    labels,
)
from tidegate.kubernetes.model_files import file_list
from tidegate.kubernetes.network import Network, slot_policy
from tidegate.kubernetes.objects import SKIP_AWAIT, Manifest, manifest
from tidegate.kubernetes.pods import LEADER_LABELS, server_labels
from tidegate.kubernetes.workload import workload
from tidegate.spec.accelerator_pool import AcceleratorPool
from tidegate.spec.revision import Revision
from tidegate.spec.serving_on_kubernetes import (
    ExistingServing,
    KubernetesServing,
    Ports,
    Replicas,
)

OWN_PORTS = Ports(http=HTTP_PORT, grpc=GRPC_PORT, metrics=METRICS_PORT)
H2C = "kubernetes.io/h2c"


@dataclass(frozen=True, kw_only=True)
class SlotObjects:
    """`before` has to exist when the first pod starts; `workload` makes the pods."""

    before: tuple[Manifest, ...]
    workload: Manifest
    service: Manifest
    disruption_budget: Manifest


def slot_objects(
    revision: Revision,
    serving: KubernetesServing,
    pool: AcceleratorPool,
    replicas: Replicas,
    *,
    network: Network,
    runner_image: str,
    priority_class: str,
    image_pull_secrets: Sequence[str] = (),
    is_cold: bool = False,
) -> SlotObjects:
    """Objects of one revision, all named after it; those of a cold slot begin with no pod."""
    namespace = network.namespace
    servers = {**server_labels(revision), **(LEADER_LABELS if serving.nodes > 1 else {})}
    return SlotObjects(
        before=(
            file_list(revision, namespace),
            *_service_account(revision, serving, namespace),
            slot_policy(revision, serving, network),
        ),
        workload=workload(
            revision,
            serving,
            pool,
            0 if is_cold else replicas.count,
            namespace=namespace,
            runner_image=runner_image,
            priority_class=priority_class,
            image_pull_secrets=image_pull_secrets,
        ),
        service=service(revision, namespace, servers, OWN_PORTS),
        disruption_budget=_disruption_budget(revision, serving, replicas, namespace),
    )


def existing_service(revision: Revision, existing: ExistingServing, namespace: str) -> Manifest:
    """A Service of ours over the pods of the user's Deployment, named after the revision."""
    return service(revision, namespace, existing.pod_labels, existing.ports)


def service(
    revision: Revision, namespace: str, pod_labels: dict[str, str], ports: Ports
) -> Manifest:
    listed = [
        {"name": HTTP_PORT_NAME, "port": HTTP_PORT, "targetPort": ports.http, "protocol": "TCP"},
        {
            "name": GRPC_PORT_NAME,
            "port": GRPC_PORT,
            "targetPort": ports.grpc,
            "protocol": "TCP",
            "appProtocol": H2C,
        },
        {
            "name": METRICS_PORT_NAME,
            "port": METRICS_PORT,
            "targetPort": ports.metrics,
            "protocol": "TCP",
        },
    ]
    return manifest(
        "v1",
        "Service",
        revision.id,
        namespace,
        labels(revision.service, revision.id),
        SKIP_AWAIT,
        spec={"type": "ClusterIP", "selector": dict(pod_labels), "ports": listed},
    )


def _service_account(
    revision: Revision, serving: KubernetesServing, namespace: str
) -> tuple[Manifest, ...]:
    """None where an existing one is named: that is shared, and stays when the slot goes."""
    if serving.service_account is not None:
        return ()
    account = manifest(
        "v1",
        "ServiceAccount",
        revision.id,
        namespace,
        labels(revision.service, revision.id),
        serving.service_account_annotations,
        automountServiceAccountToken=False,
    )
    return (account,)


def _disruption_budget(
    revision: Revision, serving: KubernetesServing, replicas: Replicas, namespace: str
) -> Manifest:
    """Counts pods. One pod that leaves a group takes the whole group with it."""
    groups_that_may_go = replicas.count - replicas.kept
    pods = replicas.count * serving.nodes
    return manifest(
        "policy/v1",
        "PodDisruptionBudget",
        revision.id,
        namespace,
        labels(revision.service, revision.id),
        spec={
            "minAvailable": max(0, pods - groups_that_may_go) if replicas.kept else 0,
            # A pod that never became ready serves nobody: it must not keep a node from its drain.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": server_labels(revision)},
        },
    )
