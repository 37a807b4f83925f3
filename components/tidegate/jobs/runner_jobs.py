"""Jobs that carry out gates, switches and drains, as objects of the API."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from tidegate.cluster import names
from tidegate.cluster.client import Object
from tidegate.cluster.pod_security import container_security_context, runner_pod_security_context
from tidegate.cluster.pull_secrets import pull_secrets
from tidegate.gate.evidence_store import bucket_scheme
from tidegate.gate.profile import Profile
from tidegate.gate.rates import REQUESTS_PER_SECOND_AND_WORKER
from tidegate.records.switch_run import SwitchRun
from tidegate.spec.model_source import endpoint_environment
from tidegate.spec.runner_pods import RunnerPods

KEPT_SECONDS = 3600
"""How long a Job that has ended stays to be looked at; its result is kept elsewhere."""
GRACE_SECONDS = 30
SWITCH_TRIES = 6
"""Pods of a switch that may be lost to evictions and nodes before its Job gives up."""
LOST_NODE_SECONDS = 10
"""So long a pod stays on a node that does not answer before it counts as lost."""
LARGEST_GATE_WORKERS = 16
EVIDENCE_CLAIM = "tidegate-evidence"
"""PersistentVolumeClaim that is mounted when the evidence is kept in a folder."""


class RunnerSettings(Protocol):
    """As much of a cluster's settings as its Jobs need."""

    @property
    def runner_image(self) -> str: ...
    @property
    def evidence(self) -> str | None:
        """None where no gates are started, which alone write it."""

    @property
    def evidence_endpoint(self) -> str | None: ...
    @property
    def image_pull_secrets(self) -> Sequence[str]: ...
    @property
    def runner(self) -> RunnerPods: ...


@dataclass(frozen=True)
class RunnerJob:
    """`run` is the ConfigMap that the Job carries out."""

    name: str
    run: str
    kind: Literal["gate", "switch", "drain"]
    service: str
    revision: str | None
    cpus: int = 1
    memory: str = "1Gi"
    accelerator_pool: str | None = None
    gate_lease_namespace: str | None = None


def switch_job(run: SwitchRun) -> RunnerJob:
    """The Job that carries a switch out, or goes on with it after so many restarts."""
    service = run.request.service
    name = names.switch_job(service, run.number, run.restarts)
    return RunnerJob(name, run.name, "switch", service, revision=None)


def gate_workers(profile: Profile) -> int:
    """Processes that send the load."""
    wanted = round(profile.rate_per_second / REQUESTS_PER_SECOND_AND_WORKER)
    return max(1, min(LARGEST_GATE_WORKERS, wanted))


def job_object(job: RunnerJob, settings: RunnerSettings) -> Object:
    """The Job as it is created. A gate is never repeated by itself: it would be a second test."""
    labels = names.labels(job.service, job.revision, job=job.kind)
    # A run's name may be longer than a label's value.
    about = {names.RUN_ANNOTATION: job.run}
    return {
        "metadata": {"name": job.name, "labels": labels, "annotations": about},
        "spec": {
            "backoffLimit": 0 if job.kind == "gate" else SWITCH_TRIES,
            # No podFailurePolicy: with one, a pod on a lost node counts as failed only once its
            # node has confirmed the end, which a lost one never does.
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "template": {
                "metadata": {"labels": labels, "annotations": about | _NOT_TO_BE_MOVED},
                "spec": _pod(job, settings),
            },
        },
    }


_NOT_TO_BE_MOVED = {
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "karpenter.sh/do-not-disrupt": "true",
}
"""Autoscalers leave the node alone meanwhile; a gate would have to begin again."""


def _pod(job: RunnerJob, settings: RunnerSettings) -> Object:
    work = {"name": "work", "mountPath": names.WORK_FOLDER}
    temporary = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 - an emptyDir of its own
    volumes: list[Object] = [{"name": "work", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]
    mounts = [work, temporary]
    evidence = settings.evidence
    if job.kind == "gate" and evidence is not None and _is_on_a_volume(evidence):
        claim = {"persistentVolumeClaim": {"claimName": EVIDENCE_CLAIM}}
        volumes.append({"name": "evidence", **claim})
        mounts.append({"name": "evidence", "mountPath": evidence})
    resources = {"cpu": str(job.cpus), "memory": job.memory}
    placed = settings.runner
    return {
        **pull_secrets(settings.image_pull_secrets),
        "serviceAccountName": names.RUNNER,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        **({"nodeSelector": dict(placed.node_labels)} if placed.node_labels else {}),
        "tolerations": [
            _until_lost("not-ready"),
            _until_lost("unreachable"),
            *(each.in_pod for each in placed.tolerations),
        ],
        "securityContext": runner_pod_security_context(),
        "volumes": volumes,
        "containers": [
            {
                "name": "runner",
                "image": settings.runner_image,
                "command": ["python", "-m", _module(job)],
                "env": _environment(job, settings),
                # Keys of an evidence bucket, where the account has no cloud identity.
                "envFrom": [{"secretRef": {"name": names.RUNNER, "optional": True}}],
                # Requests equal limits: a generator that is throttled measures itself.
                "resources": {"requests": resources, "limits": resources},
                "securityContext": container_security_context(),
                "terminationMessagePath": f"{names.WORK_FOLDER}/{names.TERMINATION_MESSAGE}",
                # A gate's message is its verdict and nothing else.
                "terminationMessagePolicy": "File"
                if job.kind == "gate"
                else "FallbackToLogsOnError",
                "volumeMounts": mounts,
            }
        ],
    }


def _until_lost(condition: str) -> Object:
    return {
        "key": f"node.kubernetes.io/{condition}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": LOST_NODE_SECONDS,
    }


def _module(job: RunnerJob) -> str:
    return "tidegate.runner.gate_job" if job.kind == "gate" else "tidegate.runner.switch_job"


def _environment(job: RunnerJob, settings: RunnerSettings) -> list[Object]:
    namespace = {"fieldRef": {"fieldPath": "metadata.namespace"}}
    fixed = {
        names.RUN_VARIABLE: job.run,
        names.JOB_VARIABLE: job.name,
        "HOME": "/tmp",  # noqa: S108 - libraries keep caches there
        names.ACCELERATOR_POOL_VARIABLE: job.accelerator_pool,
        names.GATE_LEASE_NAMESPACE_VARIABLE: job.gate_lease_namespace,
        **endpoint_environment(settings.evidence_endpoint),
    }
    return [
        {"name": names.NAMESPACE_VARIABLE, "valueFrom": namespace},
        *({"name": name, "value": value} for name, value in fixed.items() if value),
    ]


def _is_on_a_volume(evidence: str) -> bool:
    """A folder inside the Job's own work folder goes with its pod, which trials may want."""
    return bucket_scheme(evidence) is None and not evidence.startswith(f"{names.WORK_FOLDER}/")
