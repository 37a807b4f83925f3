"""What an environment decides about a revision that a cluster serves: part of its identity."""

import math
from typing import Annotated, Self

from pydantic import Field, model_validator

from tidegate.spec.errors import SpecError
from tidegate.spec.extended_resources import check_extended_resources
from tidegate.spec.kubernetes_names import DnsLabel, DnsName
from tidegate.spec.model_source import ImageReference, ModelSource
from tidegate.spec.release import Name, Release
from tidegate.spec.signature import SpecModel

PLATFORM = "kubernetes"
"""Name of the platform in releases and revisions."""

_PAGES_OF_A_GIB = 512
GRACE_RESERVE_SECONDS = 10
"""For what a pod does beside waiting and finishing requests, the kubelet's own time included."""


class Termination(SpecModel):
    """How a server ends.

    `pre_stop_seconds`: it goes on serving while load balancers take it out; Triton refuses new
    calls at once when it is told to end. `exit_timeout_seconds`: for requests in flight.
    """

    pre_stop_seconds: int = Field(default=15, ge=1, le=300)
    exit_timeout_seconds: int = Field(default=30, ge=1, le=3600)

    @property
    def serving_seconds(self) -> int:
        """How long a server that has been asked to end may still be answering."""
        return self.pre_stop_seconds + self.exit_timeout_seconds

    @property
    def grace_seconds(self) -> int:
        """From the request to end a pod to its being killed."""
        return self.serving_seconds + GRACE_RESERVE_SECONDS


class KubernetesServing(SpecModel):
    """One Triton per pod, or per group of `nodes` pods.

    `image` is Triton's. `cpus` and the memory are both request and limit: what the gate measured
    is what users get. `shared_memory_gib` is /dev/shm and counts as memory. `worker_command` is
    what the other pods of a group run, whose first one runs Triton. `extended_resources` are what
    each pod asks for beside GPUs, such as {"vpc.amazonaws.com/efa": 4}; `hugepages_gib` is memory
    in pages of 2 MiB beside the other, which libraries of EFA take their buffers from.
    `service_account_annotations` name a cloud's identity, such as eks.amazonaws.com/role-arn; they
    are written on an account of the slot's own, named after the revision. `service_account` is an
    existing one of the namespace in its place: clouds that bind an identity to an account's name
    (EKS Pod Identity, GKE) cannot know a revision's.

    Stated for the checks and no part of the identity: `load_seconds`, the time that the models
    take to load, and `model_memory_gib`, what they take of the GPUs of one replica.
    """

    image: ImageReference
    model: ModelSource
    pool: Name
    gpus: int = Field(default=1, ge=0, description="Of one pod.")
    gpu_resource: str = "nvidia.com/gpu"
    extended_resources: dict[str, Annotated[int, Field(ge=1)]] | None = None
    cpus: float = Field(default=4, gt=0)
    memory_gib: float = Field(default=16, gt=0)
    shared_memory_gib: float = Field(default=1, gt=0)
    hugepages_gib: float | None = Field(default=None, gt=0)
    nodes: int = Field(default=1, ge=1)
    worker_command: tuple[str, ...] = ()
    termination: Termination = Termination()
    service_account_annotations: dict[str, str] = Field(default_factory=dict)
    service_account: DnsName | None = None
    load_seconds: float | None = Field(default=None, gt=0, exclude=True)
    model_memory_gib: float | None = Field(default=None, gt=0, exclude=True)

    @model_validator(mode="after")
    def _shared_memory_fits(self) -> Self:
        if self.shared_memory_gib >= self.memory_gib:
            raise SpecError(
                "memoryGib",
                self.memory_gib,
                f"sharedMemoryGib ({self.shared_memory_gib:g}) is a part of it",
                "more memory than shared memory",
            )
        return self

    @model_validator(mode="after")
    def _asks_for_devices_only(self) -> Self:
        check_extended_resources(self.extended_resources or {}, self.gpu_resource)
        return self

    @model_validator(mode="after")
    def _is_of_whole_pages(self) -> Self:
        if self.hugepages_gib is not None and (self.hugepages_gib * _PAGES_OF_A_GIB) % 1:
            raise SpecError(
                "hugepagesGib",
                self.hugepages_gib,
                "a page has 2 MiB, and there are whole pages only",
                f"hugepagesGib: {math.ceil(self.hugepages_gib)}",
            )
        return self

    @model_validator(mode="after")
    def _groups_have_work(self) -> Self:
        if (self.nodes > 1) != bool(self.worker_command):
            raise SpecError(
                "nodes",
                self.nodes,
                "only a replica of several nodes has workers, and those need a program",
                "nodes: 2 or more with workerCommand, or neither",
            )
        return self

    @model_validator(mode="after")
    def _annotations_have_an_account(self) -> Self:
        if self.service_account is not None and self.service_account_annotations:
            raise SpecError(
                "serviceAccountAnnotations",
                self.service_account_annotations,
                f"serviceAccount names {self.service_account}, which is there already and not ours "
                "to annotate",
                f"the annotations on the ServiceAccount {self.service_account} itself, or no "
                "serviceAccount",
            )
        return self


class Ports(SpecModel):
    """Where a server of the user's own listens."""

    http: int = Field(default=8000, ge=1, le=65535)
    grpc: int = Field(default=8001, ge=1, le=65535)
    metrics: int = Field(default=8002, ge=1, le=65535)


class ExistingServing(SpecModel):
    """A Deployment of the user's own in the platform's namespace, whose pods serve the revision.

    `pod_labels` are those that its Service selects by. `pool` is where it runs: one gate at a time
    loads a pool.
    """

    deployment: DnsLabel
    pod_labels: dict[str, str] = Field(min_length=1)
    ports: Ports = Ports()
    pool: Name | None = None


class Replicas(SpecModel):
    """How many copies serve, and how many of them an eviction must leave. No part of a revision.

    Without `min_available` all but one, so that nodes can be drained one pod after the other.
    """

    count: Annotated[int, Field(ge=0)] = 1
    min_available: int | None = Field(default=None, ge=0)

    @property
    def kept(self) -> int:
        """Those that an eviction leaves."""
        if self.min_available is not None:
            return self.min_available
        return max(0, self.count - 1)


def check_replicas(replicas: Replicas) -> None:
    """Raise SpecError for a budget that lets no pod be evicted."""
    kept = replicas.kept
    if kept and kept >= replicas.count:
        short = "fewer than" if kept > replicas.count else "no more than"
        raise SpecError(
            "replicas",
            replicas.count,
            f"it is {short} the {kept} that minAvailable keeps, so no node that runs one could "
            "ever be drained",
            f"replicas: {kept + 1}, or minAvailable: {max(0, replicas.count - 1)}",
        )


def check_probe_budget(serving: KubernetesServing, ready_timeout_seconds: float) -> None:
    """Raise SpecError when a server would be restarted before it has loaded its models."""
    stated = serving.load_seconds
    if stated is not None and ready_timeout_seconds < stated:
        raise SpecError(
            "probes.readyTimeoutSeconds",
            ready_timeout_seconds,
            f"the models take {stated:g} s to load, as loadSeconds says, and the kubelet would "
            "restart the server before",
            f"readyTimeoutSeconds: {math.ceil(stated * 2)}, or a smaller loadSeconds",
        )


def server_image(release: Release, configured: str | None) -> str:
    """Triton's image for the release: the settings' own, or else what its manifest says.

    Raises SpecError when neither names one.
    """
    if configured is not None:
        return configured
    variant = release.servers.get(PLATFORM)
    if variant is not None:
        return f"{variant.distribution}:{variant.version}@{variant.sha256}"
    known = ", ".join(sorted(release.servers))
    raise SpecError(
        "image",
        None,
        f"{release.service}@{release.release} names servers for {known} only, none for a cluster",
        "kubernetes.image with a Triton image by digest, such as "
        "nvcr.io/nvidia/tritonserver:<tag>@sha256:<digest>, or `servers.kubernetes` in the release",
    )
