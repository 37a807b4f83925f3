"""The container that runs Triton."""

import math
from typing import Any

from tidegate.cluster.names import (
    GRPC_PORT,
    GRPC_PORT_NAME,
    HTTP_PORT,
    HTTP_PORT_NAME,
    METRICS_PORT,
    METRICS_PORT_NAME,
)
from tidegate.cluster.pod_security import container_security_context
from tidegate.kubernetes.objects import quantity_of_cpus, quantity_of_memory
from tidegate.spec.revision import Probes, Revision
from tidegate.spec.serving_on_kubernetes import KubernetesServing
from tidegate.spec.signature import ModelSignature

CONTAINER = "triton"
MODELS = "/models"
SHARED_MEMORY_VOLUME = "shared-memory"
SCRATCH_VOLUME = "scratch"
MODELS_VOLUME = "models"

PROBE_TIMEOUT_SECONDS = 2
UNREADY_AFTER = 3
LIVENESS_PERIOD_SECONDS = 10
DEAD_AFTER = 6
"""Failed probes in a row. A server under load is slow long before it is dead."""

# What changes a running server. Inference, metadata, statistics and health stay open.
_RESTRICTED = "shared-memory,model-repository,trace,logging"
_RESTRICTED_KEY = "tidegate-restricted"


def triton_container(revision: Revision, serving: KubernetesServing, folder: str) -> dict[str, Any]:
    """Triton over the immutable repository in `folder`, ready when every model is."""
    models = revision.release.models
    return {
        **server_resources(serving),
        "name": CONTAINER,
        "image": serving.image,
        "command": ["tritonserver"],
        "args": arguments(serving, folder),
        "env": [
            {"name": "POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
            *scratch_environment(),
        ],
        "ports": [
            {"name": HTTP_PORT_NAME, "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": GRPC_PORT_NAME, "containerPort": GRPC_PORT, "protocol": "TCP"},
            {"name": METRICS_PORT_NAME, "containerPort": METRICS_PORT, "protocol": "TCP"},
        ],
        **probes(models, revision.probes),
        "lifecycle": {"preStop": {"sleep": {"seconds": serving.termination.pre_stop_seconds}}},
        "volumeMounts": server_mounts(),
        "securityContext": container_security_context(),
    }


def arguments(serving: KubernetesServing, folder: str) -> list[str]:
    """Triton's arguments.

    The protocols that change a running server want a key. Its value is the pod's UID: a new
    random one for every pod, in no Secret and in no state, and known only to those who may read
    pods. Nothing of ours ever sends it.
    """
    restricted = f"{_RESTRICTED}:{_RESTRICTED_KEY}=$(POD_UID)"
    return [
        f"--model-repository={folder}",
        "--model-control-mode=none",
        "--disable-auto-complete-config",
        "--exit-on-error=true",
        "--strict-readiness=true",
        f"--exit-timeout-secs={serving.termination.exit_timeout_seconds}",
        f"--http-port={HTTP_PORT}",
        f"--grpc-port={GRPC_PORT}",
        f"--metrics-port={METRICS_PORT}",
        f"--http-restricted-api={restricted}",
        f"--grpc-restricted-protocol={restricted}",
        f"--allow-gpu-metrics={'true' if serving.gpus else 'false'}",
    ]


def probes(models: tuple[ModelSignature, ...], settings: Probes) -> dict[str, Any]:
    """Startup and readiness of every model and version; liveness of the server itself.

    Triton listens only after its models are loaded, so without a startup probe a slow load would
    look like a death.
    """
    ready = _all_models_ready(models)
    return {
        "startupProbe": {
            **ready,
            "periodSeconds": 1,
            "timeoutSeconds": PROBE_TIMEOUT_SECONDS,
            "failureThreshold": math.ceil(settings.ready_timeout_seconds),
        },
        "readinessProbe": {
            **ready,
            "periodSeconds": math.ceil(settings.health_interval_seconds),
            "timeoutSeconds": PROBE_TIMEOUT_SECONDS,
            "failureThreshold": UNREADY_AFTER,
        },
        "livenessProbe": {
            "httpGet": {"path": "/v2/health/live", "port": HTTP_PORT_NAME},
            "periodSeconds": LIVENESS_PERIOD_SECONDS,
            "timeoutSeconds": PROBE_TIMEOUT_SECONDS,
            "failureThreshold": DEAD_AFTER,
        },
    }


def server_resources(serving: KubernetesServing) -> dict[str, Any]:
    """Requests equal limits: the pod is of the class Guaranteed."""
    amounts = {
        "cpu": quantity_of_cpus(serving.cpus),
        "memory": quantity_of_memory(serving.memory_gib),
    }
    if serving.gpus:
        amounts[serving.gpu_resource] = str(serving.gpus)
    if serving.hugepages_gib is not None:
        amounts["hugepages-2Mi"] = quantity_of_memory(serving.hugepages_gib)
    for name, count in sorted((serving.extended_resources or {}).items()):
        amounts[name] = str(count)
    return {"resources": {"requests": dict(amounts), "limits": dict(amounts)}}


def server_mounts() -> list[dict[str, Any]]:
    return [
        {"name": MODELS_VOLUME, "mountPath": MODELS, "readOnly": True},
        {"name": SHARED_MEMORY_VOLUME, "mountPath": "/dev/shm"},  # noqa: S108  # the kernel's
        {"name": SCRATCH_VOLUME, "mountPath": "/tmp"},  # noqa: S108  # an emptyDir of the pod
    ]


def scratch_environment() -> list[dict[str, Any]]:
    """The root file system is read-only: caches go to the scratch volume."""
    return [
        {"name": "HOME", "value": "/tmp"},  # noqa: S108  # an emptyDir of the pod
        {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"},
    ]


def _all_models_ready(models: tuple[ModelSignature, ...]) -> dict[str, Any]:
    paths = [f"/v2/models/{each.name}/versions/{each.version}/ready" for each in models]
    if len(paths) == 1:
        return {"httpGet": {"path": paths[0], "port": HTTP_PORT_NAME}}
    # A probe asks one path. NVIDIA's images carry curl.
    urls = [f"http://localhost:{HTTP_PORT}{path}" for path in paths]
    targets = [part for url in urls for part in ("--output", "/dev/null", url)]
    return {"exec": {"command": ["curl", "--silent", "--fail", "--fail-early", *targets]}}
