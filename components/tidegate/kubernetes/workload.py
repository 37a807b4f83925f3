"""The workload of a slot: a Deployment, or a LeaderWorkerSet where a model needs several nodes."""

import math
from collections.abc import Sequence
from typing import Any, Final

from tidegate.cluster.names import labels
from tidegate.kubernetes.model_files import model_files
from tidegate.kubernetes.objects import SKIP_AWAIT, Manifest, manifest
from tidegate.kubernetes.pods import server_labels, server_template, worker_template
from tidegate.spec.accelerator_pool import AcceleratorPool
from tidegate.spec.revision import Revision
from tidegate.spec.serving_on_kubernetes import KubernetesServing

DEPLOYMENT: Final = "Deployment"
LEADER_WORKER_SET: Final = "LeaderWorkerSet"

LEFT_AS_THEY_ARE = {
    DEPLOYMENT: ["spec.template", "spec.selector", "spec.replicas"],
    LEADER_WORKER_SET: ["spec.leaderWorkerTemplate", "spec.replicas"],
}
"""Kind → properties that the engine sets once. A slot's pods never change in place: another pod is
another revision's. Its replicas have to change before or after the traffic moves, which is for
`SlotReadiness`, `SlotRoom` and `ColdStandby`; so nobody undoes an autoscaler either."""

SCHEDULING_SECONDS = 600
"""For a node to be added to the pool, beside the time to load."""


def workload(
    revision: Revision,
    serving: KubernetesServing,
    pool: AcceleratorPool,
    replicas: int,
    *,
    namespace: str,
    runner_image: str,
    priority_class: str,
    image_pull_secrets: Sequence[str] = (),
) -> Manifest:
    """`replicas` are those that it begins with."""
    files = model_files(revision, serving.model, runner_image)
    common = (revision, serving, pool, files, priority_class, image_pull_secrets)
    server = server_template(*common)
    if serving.nodes == 1:
        return _deployment(revision, replicas, namespace, server)
    worker = worker_template(*common)
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
        spec={
            "replicas": replicas,
            # Otherwise its controller makes a Service of the revision's name, which is the slot's.
            "networkConfig": {"subdomainPolicy": "UniquePerReplica"},
            "leaderWorkerTemplate": group,
        },
    )


def _deployment(
    revision: Revision, replicas: int, namespace: str, template: dict[str, Any]
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
            "replicas": replicas,
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
