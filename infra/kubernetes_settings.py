"""What a stack file says about a cluster, and about services on it."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from settings_model import SettingsModel
from tidegate.gate.evidence_store import check_address, check_endpoint
from tidegate.spec.accelerator_pool import AcceleratorPool, Toleration
from tidegate.spec.cluster_network import ClusterNetwork
from tidegate.spec.errors import SpecError
from tidegate.spec.kubernetes_gateway import GatewayReference, NewGateway
from tidegate.spec.kubernetes_names import DnsLabel, DnsName, HostName, PoolName
from tidegate.spec.model_source import (
    ImageReference,
    ModelSource,
    ObjectStorage,
    OciImage,
    PersistentVolumeClaim,
    StorageEndpoint,
)
from tidegate.spec.release import Release
from tidegate.spec.runner_pods import RunnerPods
from tidegate.spec.serving_on_kubernetes import ExistingServing, Replicas, Termination


class ClusterGatewaySettings(NewGateway):
    """A Gateway to make, or `existing` in place of all else."""

    existing: GatewayReference | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        others = self.model_fields_set - {"existing"}
        if self.existing is not None and others:
            raise ValueError("write `existing` alone, or the keys of a Gateway to make")
        return self

    def gateway(self) -> NewGateway | GatewayReference:
        if self.existing is not None:
            return self.existing
        return NewGateway.model_validate(self.model_dump(exclude={"existing"}))


class PoolSettings(SettingsModel):
    """Alike nodes of the cluster, by their labels; see `tidegate.spec.accelerator_pool`."""

    node_labels: dict[str, str] = Field(min_length=1)
    gpus_per_node: int = Field(ge=0)
    gpu_memory_gib: float = Field(default=0, ge=0)
    gpu_resource: str = "nvidia.com/gpu"
    tolerations: list[Toleration] | None = None
    nodes_max: int | None = Field(default=None, ge=1)
    max_gpus_per_pod: int | None = Field(default=None, ge=1)
    needs_host_ipc: bool = False
    extended_resources: dict[str, int] = Field(default_factory=dict)

    def pool(self, name: str) -> AcceleratorPool:
        return AcceleratorPool.model_validate(
            {"name": name, **self.model_dump(by_alias=True, exclude_none=True)}
        )


class KubernetesSettings(SettingsModel):
    """A cluster. `kubeconfig` is a file's path; without, what `kubectl` uses.

    `cluster_stack` names the stack that made the cluster. A cluster that this stack or that one
    made gives its kubeconfig, its pools, and for evidence its bucket; what is written here wins.
    `image` is Triton's, by digest, for services and releases that name none.
    """

    kubeconfig: str | None = Field(default=None, min_length=1)
    context: str | None = Field(default=None, min_length=1)
    cluster_stack: str | None = Field(default=None, pattern=r"^[^/]+/[^/]+/[^/]+$")
    namespace: DnsLabel
    create_namespace: bool = True
    runner_image: str = Field(min_length=1)
    evidence: Annotated[str, Field(min_length=1), AfterValidator(check_address)] | None = None
    image: ImageReference | None = None
    gateway: ClusterGatewaySettings = ClusterGatewaySettings()
    pools: dict[PoolName, PoolSettings] = Field(default_factory=dict)
    priority_class: DnsName | None = None
    monitoring_namespace: DnsLabel | None = "monitoring"
    scheduling_seconds: float = Field(default=600, gt=0)
    gate_lease_namespace: DnsLabel | None = None
    evidence_endpoint: StorageEndpoint | None = None
    image_pull_secrets: list[DnsName] = Field(default_factory=list)
    runner: RunnerPods = RunnerPods()
    network: ClusterNetwork = ClusterNetwork()

    @model_validator(mode="after")
    def _is_one_cluster(self) -> Self:
        if self.cluster_stack is not None and (self.kubeconfig or self.context):
            raise ValueError("write clusterStack, or kubeconfig and context")
        return self

    @model_validator(mode="after")
    def _is_at_its_endpoint(self) -> Self:
        check_endpoint(self.evidence, self.evidence_endpoint)
        return self

    def accelerator_pools(self) -> list[AcceleratorPool]:
        return [each.pool(name) for name, each in sorted(self.pools.items())]


class ModelSettings(SettingsModel):
    """Where the repositories of the service's releases are.

    A bucket and a volume mirror the serving root: a release is found below them under its
    manifest's `repository.path`. `oci_images` has one image for each release.
    """

    object_storage: ObjectStorage | None = None
    persistent_volume_claim: PersistentVolumeClaim | None = None
    oci_images: dict[str, OciImage] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        places = (self.object_storage, self.persistent_volume_claim, self.oci_images)
        if sum(each is not None for each in places) != 1:
            raise ValueError("write one of objectStorage, persistentVolumeClaim and ociImages")
        return self

    def source(self, release: Release) -> ModelSource:
        """Raises SpecError when no image is named for the release."""
        path = release.repository.path
        if self.object_storage is not None:
            url = f"{self.object_storage.url.rstrip('/')}/{path}"
            storage = self.object_storage.model_copy(update={"url": url})
            return ModelSource(object_storage=storage)
        if self.persistent_volume_claim is not None:
            claim = self.persistent_volume_claim
            below = f"{claim.path}/{path}" if claim.path else path
            return ModelSource(persistent_volume_claim=claim.model_copy(update={"path": below}))
        images, name = self.oci_images or {}, f"{release.service}@{release.release}"
        if name not in images:
            raise SpecError(
                "model.ociImages",
                name,
                "no image is named for this release",
                f"'{name}': {{reference: registry/name@sha256:…}}",
            )
        return ModelSource(oci_image=images[name])


class ServiceOnKubernetes(SettingsModel):
    """How the cluster serves a service; see `tidegate.spec.serving_on_kubernetes`.

    `existing` has a Deployment of the user's own for each release, in place of what makes one.
    """

    pool: str | None = None
    model: ModelSettings | None = None
    image: ImageReference | None = None
    gpus: int = Field(default=1, ge=0)
    extended_resources: dict[str, int] | None = None
    cpus: float = Field(default=4, gt=0)
    memory_gib: float = Field(default=16, gt=0)
    shared_memory_gib: float = Field(default=1, gt=0)
    hugepages_gib: float | None = None
    nodes: int = Field(default=1, ge=1)
    worker_command: list[str] = Field(default_factory=list)
    termination: Termination = Termination()
    service_account_annotations: dict[str, str] = Field(default_factory=dict)
    service_account: DnsName | None = None
    load_seconds: float | None = Field(default=None, gt=0)
    model_memory_gib: float | None = Field(default=None, gt=0)
    existing: dict[str, ExistingServing] | None = None
    replicas: int = Field(default=1, ge=1)
    min_available: int | None = Field(default=None, ge=0)
    hostnames: list[HostName] = Field(default_factory=list)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        shared = {"replicas", "min_available", "hostnames"}
        if self.existing is not None:
            if others := self.model_fields_set - shared - {"existing"}:
                raise ValueError(
                    f"write `existing`, or what makes a Deployment: {', '.join(sorted(others))}"
                )
        elif self.pool is None or self.model is None:
            raise ValueError("write pool and model, or `existing` with a Deployment of your own")
        return self

    def replica_counts(self) -> Replicas:
        return Replicas(count=self.replicas, min_available=self.min_available)
