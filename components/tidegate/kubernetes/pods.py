"""Pod templates of a slot."""

from collections.abc import Sequence
from typing import Any

from tidegate.cluster.names import labels
from tidegate.cluster.pod_security import container_security_context, pod_security_context
from tidegate.cluster.pull_secrets import pull_secrets
from tidegate.kubernetes.model_files import ModelFiles
from tidegate.kubernetes.objects import quantity_of_memory
from tidegate.kubernetes.triton import (
    SCRATCH_VOLUME,
    SHARED_MEMORY_VOLUME,
    scratch_environment,
    server_mounts,
    server_resources,
    triton_container,
)
from tidegate.spec.accelerator_pool import AcceleratorPool
from tidegate.spec.revision import Revision
from tidegate.spec.serving_on_kubernetes import KubernetesServing

COMPONENT_LABEL = "app.kubernetes.io/component"
SPREAD_OVER = ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
LEADER_LABELS = {"leaderworkerset.sigs.k8s.io/worker-index": "0"}
"""On the pod of a group that runs Triton."""


def server_labels(revision: Revision) -> dict[str, str]:
    """Of the pods of a slot; its gate's runner has the same service and revision."""
    return {**labels(revision.service, revision.id), COMPONENT_LABEL: "server"}


def server_template(
    revision: Revision,
    serving: KubernetesServing,
    pool: AcceleratorPool,
    files: ModelFiles,
    priority_class: str,
    image_pull_secrets: Sequence[str],
) -> dict[str, Any]:
    """Pods with Triton."""
    container = triton_container(revision, serving, files.folder)
    found = server_labels(revision)
    spread = {**found, **(LEADER_LABELS if serving.nodes > 1 else {})}
    spec = {
        **_pod(revision, serving, pool, files, priority_class, image_pull_secrets),
        "containers": [container],
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": key,
                # A pool may be one zone or one host; there all pods still have to run.
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": spread},
            }
            for key in SPREAD_OVER
        ],
    }
    return {"metadata": {"labels": found}, "spec": spec}


def worker_template(
    revision: Revision,
    serving: KubernetesServing,
    pool: AcceleratorPool,
    files: ModelFiles,
    priority_class: str,
    image_pull_secrets: Sequence[str],
) -> dict[str, Any]:
    """The further pods of a group, which work for the first one."""
    container = {
        **server_resources(serving),
        "name": "worker",
        "image": serving.image,
        "command": list(serving.worker_command),
        "env": scratch_environment(),
        # The first pod's server needs it until it has answered what is in flight; what a worker
        # that is told to end does with its part is its own program's matter.
        "lifecycle": {"preStop": {"sleep": {"seconds": serving.termination.serving_seconds}}},
        "volumeMounts": server_mounts(),
        "securityContext": container_security_context(),
    }
    return {
        "metadata": {"labels": server_labels(revision)},
        "spec": {
            **_pod(revision, serving, pool, files, priority_class, image_pull_secrets),
            "containers": [container],
        },
    }


def _pod(
    revision: Revision,
    serving: KubernetesServing,
    pool: AcceleratorPool,
    files: ModelFiles,
    priority_class: str,
    image_pull_secrets: Sequence[str],
) -> dict[str, Any]:
    return {
        **pull_secrets(image_pull_secrets),
        "serviceAccountName": serving.service_account or revision.id,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "priorityClassName": priority_class,
        "terminationGracePeriodSeconds": serving.termination.grace_seconds,
        "securityContext": pod_security_context(),
        "nodeSelector": dict(pool.node_labels),
        "tolerations": [each.in_pod for each in pool.tolerations],
        "initContainers": [files.init_container],
        "volumes": [
            *files.volumes,
            {
                "name": SHARED_MEMORY_VOLUME,
                "emptyDir": {
                    "medium": "Memory",
                    "sizeLimit": quantity_of_memory(serving.shared_memory_gib),
                },
            },
            {"name": SCRATCH_VOLUME, "emptyDir": {}},
        ],
    }
