"""The workload of a slot: a Deployment, or a LeaderWorkerSet where a model needs several nodes."""

import math
from typing import Any, Final

from tidegate.cluster.names import labels
from tidegate.kubernetes.model_files import model_files
from tidegate.kubernetes.objects import SKIP_AWAIT, Manifest, manifest
from tidegate.kubernetes.pods import server_labels, server_template, worker_template
from tidegate.spec.accelerator_pool import AcceleratorPool
from tidegate.spec.revision import Revision
from tidegate.spec.serving_on_kubernetes import KubernetesServing, Replicas

DEPLOYMENT: Final = "Deployment"
LEADER_WORKER_SET: Final = "LeaderWorkerSet"

POD_TEMPLATES = {
    DEPLOYMENT: ["spec.template", "spec.selector"],
    LEADER_WORKER_SET: ["spec.leaderWorkerTemplate"],
}
"""Kind → properties that a slot never changes in place: another pod is another revision's."""

SCHEDULING_SECONDS = 600
"""For a node to be added to the pool, beside the time to load."""


def workload(
    revision: Revision,
    serving: KubernetesServing,
    pool: AcceleratorPool,
    replicas: Replicas,
    *,
    namespace: str,
    runner_image: str,
    priority_class: str,
) -> Manifest:
    files = model_files(revision, serving.model, runner_image)
    server = server_template(revision, serving, pool, files, priority_class)
    if serving.nodes == 1:
        return _deployment(revision, replicas, namespace, server)
    worker = worker_template(revision, serving, pool, files, priority_class)
    group = {
        "size": serving.nodes,
        "restartPolicy": "RecreateGroupOnPodRestart",
        "leaderTemplate": server,
        "workerTemplate": worker,
    }
    return manifest(
        "leaderworkerset.x-k8s.io/v1",
        LEADER_WORKER_SET,
        revision.id,
        namespace,
        labels(revision.service, revision.id),
        SKIP_AWAIT,
        spec={"replicas": replicas.count, "leaderWorkerTemplate": group},
    )


def _deployment(
    revision: Revision, replicas: Replicas, namespace: str, template: dict[str, Any]
) -> Manifest:
    ready = math.ceil(revision.probes.ready_timeout_seconds)
    return manifest(
        "apps/v1",
        DEPLOYMENT,
        revision.id,
        namespace,
        labels(revision.service, revision.id),
        SKIP_AWAIT,
        spec={
            "replicas": replicas.count,
            "revisionHistoryLimit": 1,
            "progressDeadlineSeconds": ready + SCHEDULING_SECONDS,
            # Somebody's `kubectl rollout restart` shall not need fewer servers than there are.
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "selector": {"matchLabels": server_labels(revision)},
            "template": template,
        },
    )
