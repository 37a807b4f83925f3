"""What a `KubernetesPlatform` is told, and what it takes from the cluster under it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pulumi

from tidegate.gate.evidence_store import bucket_scheme, check_address, check_endpoint
from tidegate.kubernetes.cluster_outputs import ClusterOutputs, evidence_in
from tidegate.spec.accelerator_pool import AcceleratorPool
from tidegate.spec.cluster_network import ClusterNetwork
from tidegate.spec.errors import SpecError
from tidegate.spec.kubernetes_gateway import GatewayReference, NewGateway
from tidegate.spec.kubernetes_names import check_namespace
from tidegate.spec.runner_pods import RunnerPods


@dataclass(frozen=True, kw_only=True)
class KubernetesPlatformArgs:
    """Arguments of a `KubernetesPlatform`.

    `cluster`: what a `GpuCluster` hands over. `kubeconfig`: content or path, which may come from a
    cluster that does not exist yet; without, that of `cluster`, or else what `kubectl` uses.
    `pools` are there beside those of `cluster`, and take the place of those of the same name.
    `gateway`: one to make, or an existing one of Envoy Gateway. `runner_image` carries gates,
    switches and the check of model files; an image that names no registry, as `runner@sha256:…`, is
    in that of `cluster`. `evidence`: where verdicts and attempts are kept,
    `s3://bucket/prefix`, `gs://bucket/prefix` or an absolute folder that the runner's pods have
    mounted; without, the bucket of `cluster`. `evidence_endpoint` is where its s3:// is not AWS's,
    such as http://minio.storage:9000. `priority_class`: an existing one for all slots; without, one
    is made. `monitoring_namespace` may scrape the servers. `scheduling_seconds`: how long a slot
    may wait for nodes and images, beside the time that its probes give to the models.
    `gate_lease_namespace`: an existing namespace where gates take turns on a pool, the same for all
    platforms whose pools, by the same names, are the same nodes; without, the platform's own.
    `image_pull_secrets`: names of Secrets in the namespace with which images of slots and of the
    runner are pulled, in place of those of their accounts. `runner`: where gates and switches run.
    `network`: where pods reach the API server and DNS.

    Raises SpecError for evidence that would go with its pod or has no place, an endpoint that it is
    not at, what no namespace can be called, and two pools of one name.
    """

    environment: str
    stack_file: str
    namespace: str
    runner_image: str
    gateway: NewGateway | GatewayReference
    cluster: ClusterOutputs | None = None
    evidence: str | None = None
    pools: Sequence[AcceleratorPool] = ()
    kubeconfig: pulumi.Input[str] | None = None
    context: str | None = None
    create_namespace: bool = True
    priority_class: str | None = None
    monitoring_namespace: str | None = "monitoring"
    scheduling_seconds: float = 600
    gate_lease_namespace: str | None = None
    evidence_endpoint: str | None = None
    image_pull_secrets: Sequence[str] = ()
    runner: RunnerPods = field(default_factory=RunnerPods)
    network: ClusterNetwork = field(default_factory=ClusterNetwork)

    def __post_init__(self) -> None:
        if self.evidence is None:
            self._bucket()
        elif bucket_scheme(check_address(self.evidence)) is None and self.evidence[:1] != "/":
            raise SpecError(
                "evidence",
                self.evidence,
                "a pod's own folders go with the pod",
                "s3://bucket/prefix, gs://bucket/prefix or an absolute folder of a volume",
            )
        check_endpoint(self.evidence, self.evidence_endpoint)
        check_namespace(self.namespace)
        names = [each.name for each in self.pools]
        for name in names:
            if names.count(name) > 1:
                raise SpecError("pools", name, "two pools have this name", "different names")

    @property
    def access(self) -> pulumi.Input[str] | None:
        """The kubeconfig; None for what `kubectl` uses."""
        if self.kubeconfig is None and self.cluster is not None:
            return self.cluster.kubeconfig
        return self.kubeconfig

    @property
    def evidence_place(self) -> pulumi.Input[str]:
        if self.evidence is not None:
            return self.evidence
        return evidence_in(self._bucket(), self.environment)

    @property
    def registry(self) -> pulumi.Input[str] | None:
        """Where images are that name no registry; None for where the nodes look by themselves."""
        return self.cluster.registry_url if self.cluster is not None else None

    @property
    def all_pools(self) -> tuple[AcceleratorPool, ...]:
        """In the order of their names."""
        made = self.cluster.pools if self.cluster is not None else ()
        by_name = {each.name: each for each in (*made, *self.pools)}
        return tuple(by_name[name] for name in sorted(by_name))

    def _bucket(self) -> pulumi.Input[str]:
        """URL of the cluster's. Raises SpecError when there is none."""
        if self.cluster is None or self.cluster.release_bucket_url is None:
            raise SpecError(
                "evidence",
                None,
                "no verdict could be kept, as there is no cluster's bucket either",
                "s3://bucket/prefix, gs://bucket/prefix or an absolute folder of a volume",
            )
        return self.cluster.release_bucket_url
