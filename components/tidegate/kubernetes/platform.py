"""A cluster as a platform: `KubernetesPlatform`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pulumi
import pulumi_kubernetes

from tidegate.gate.evidence_store import bucket_scheme, check_address, check_endpoint
from tidegate.kubernetes import PLATFORM
from tidegate.kubernetes.gateway import KubernetesGateway, KubernetesGatewayArgs
from tidegate.kubernetes.gateway_objects import certificates_of_listeners, reference
from tidegate.kubernetes.network import Network, default_deny, runner_policy
from tidegate.kubernetes.objects import KubernetesObject, Manifest
from tidegate.kubernetes.platform_objects import (
    namespace_object,
    priority_class,
    priority_class_name,
)
from tidegate.kubernetes.runner_access import runner_access
from tidegate.kubernetes.slots import Slots
from tidegate.resources import GatewayReadiness, TidegateClusterProvider
from tidegate.serving.platform import Slot
from tidegate.spec.accelerator_pool import AcceleratorPool
from tidegate.spec.cluster_network import ClusterNetwork
from tidegate.spec.errors import SpecError
from tidegate.spec.kubernetes_gateway import GatewayReference, NewGateway
from tidegate.spec.revision import Revision
from tidegate.spec.runner_pods import RunnerPods
from tidegate.spec.serving_on_kubernetes import Replicas


@dataclass(frozen=True, kw_only=True)
class KubernetesPlatformArgs:
    """Arguments of a `KubernetesPlatform`.

    `kubeconfig`: content or path, which may come from a cluster that does not exist yet; without,
    what `kubectl` uses. `gateway`: one to make, or an existing one of Envoy Gateway.
    `runner_image` carries gates, switches and the check of model files. `evidence`: where verdicts
    and attempts are kept, `s3://bucket/prefix`, `gs://bucket/prefix` or an absolute folder that
    the runner's pods have mounted; `evidence_endpoint` is where its s3:// is not AWS's, such as
    http://minio.storage:9000. `priority_class`: an existing one for all slots; without, one
    is made. `monitoring_namespace` may scrape the servers. `scheduling_seconds`: how long a slot
    may wait for nodes and images, beside the time that its probes give to the models.
    `gate_lease_namespace`: an existing namespace where gates take turns on a pool, the same for all
    platforms whose pools, by the same names, are the same nodes; without, the platform's own.
    `image_pull_secrets`: names of Secrets in the namespace with which images of slots and of the
    runner are pulled, in place of those of their accounts. `runner`: where gates and switches run.
    `network`: where pods reach the API server and DNS.

    Raises SpecError for evidence that would go with its pod, an endpoint that it is not at, and two
    pools of one name.
    """

    environment: str
    stack_file: str
    namespace: str
    runner_image: str
    evidence: str
    pools: Sequence[AcceleratorPool]
    gateway: NewGateway | GatewayReference
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
        if bucket_scheme(check_address(self.evidence)) is None and self.evidence[:1] != "/":
            raise SpecError(
                "evidence",
                self.evidence,
                "a pod's own folders go with the pod",
                "s3://bucket/prefix, gs://bucket/prefix or an absolute folder of a volume",
            )
        check_endpoint(self.evidence, self.evidence_endpoint)
        names = [each.name for each in self.pools]
        for name in names:
            if names.count(name) > 1:
                raise SpecError("pools", name, "two pools have this name", "different names")


class KubernetesPlatform(pulumi.ComponentResource):
    """A namespace of any cluster with GPUs, ready for slots, gates and switches."""

    namespace: pulumi.Output[str]
    gateway: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        args: KubernetesPlatformArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("tidegate:kubernetes:KubernetesPlatform", name, None, opts)
        self._args = args
        kubeconfig = pulumi.Output.secret(args.kubeconfig) if args.kubeconfig is not None else None
        self.kubernetes_provider = pulumi_kubernetes.Provider(
            name,
            kubeconfig=kubeconfig,
            context=args.context,
            opts=pulumi.ResourceOptions(parent=self),
        )
        needed = self._before_all()
        gateway, made = self._gateway(name, needed)
        network = Network(
            namespace=args.namespace,
            gateway=gateway,
            monitoring_namespace=args.monitoring_namespace,
            evidence_endpoint=args.evidence_endpoint,
            cluster=args.network,
        )
        made += [
            self._object(each, needed)
            for each in (
                default_deny(args.namespace),
                *runner_access(
                    args.namespace,
                    gateway,
                    args.gate_lease_namespace,
                    args.runner.service_account_annotations,
                ),
                runner_policy(network),
            )
        ]
        self._tidegate_provider = TidegateClusterProvider(
            name,
            kubeconfig=args.kubeconfig,
            context=args.context,
            namespace=args.namespace,
            gateway=gateway,
            runner_image=args.runner_image,
            evidence=args.evidence,
            environment=args.environment,
            stack_file=args.stack_file,
            gate_lease_namespace=args.gate_lease_namespace,
            evidence_endpoint=args.evidence_endpoint,
            image_pull_secrets=args.image_pull_secrets,
            runner=args.runner,
            # Gates and switches need all of it, and need it until the last of them has gone.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*needed, *made]),
        )
        self._slots = Slots(
            kubernetes_provider=self.kubernetes_provider,
            tidegate_provider=self._tidegate_provider,
            network=network,
            pools=tuple(args.pools),
            runner_image=args.runner_image,
            priority_class=args.priority_class or priority_class_name(args.namespace),
            image_pull_secrets=tuple(args.image_pull_secrets),
            scheduling_seconds=args.scheduling_seconds,
            # What is wrong with the Gateway is said before any GPU is taken.
            depends_on=(*needed, *self._gateway_readiness(name)),
        )
        self.namespace = pulumi.Output.from_input(args.namespace)
        self.gateway = pulumi.Output.from_input(f"{gateway.namespace}/{gateway.name}")
        self.register_outputs({"namespace": self.namespace, "gateway": self.gateway})

    @property
    def name(self) -> str:
        return PLATFORM

    @property
    def provider(self) -> pulumi.ProviderResource:
        return self._tidegate_provider

    def deploy(
        self,
        revision: Revision,
        serving_root: Path,
        parent: pulumi.Resource,
        replicas: Replicas | None = None,
        *,
        is_cold: bool = False,
        after: Sequence[pulumi.Resource] = (),
    ) -> Slot:
        """Declare the revision's objects, or what leads to the pods that the user made.

        Raises SpecError when it does not fit on its pool or cannot become ready in time, and for
        pods of the user's own that shall be cold.
        """
        return self._slots.declare(
            revision, parent, replicas or Replicas(), is_cold=is_cold, after=after
        )

    def _before_all(self) -> list[pulumi.Resource]:
        """Namespace and priority class, without which no pod starts."""
        args = self._args
        made: list[pulumi.Resource] = []
        if args.create_namespace:
            made.append(self._object(namespace_object(args.namespace), []))
        if args.priority_class is None:
            made.append(self._object(priority_class(args.namespace), []))
        return made

    def _gateway(
        self, name: str, needed: Sequence[pulumi.Resource]
    ) -> tuple[GatewayReference, list[pulumi.Resource]]:
        gateway = self._args.gateway
        if isinstance(gateway, GatewayReference):
            return gateway, []
        component = KubernetesGateway(
            name,
            KubernetesGatewayArgs(
                provider=self.kubernetes_provider,
                namespace=self._args.namespace,
                gateway=gateway,
                depends_on=tuple(needed),
            ),
            pulumi.ResourceOptions(parent=self),
        )
        return reference(gateway, self._args.namespace), list(component.resources)

    def _gateway_readiness(self, name: str) -> list[pulumi.Resource]:
        """For the Gateway that is made here; one of the user's own is the user's to watch."""
        gateway = self._args.gateway
        if isinstance(gateway, GatewayReference):
            return []
        opts = pulumi.ResourceOptions(parent=self, provider=self._tidegate_provider)
        return [
            GatewayReadiness(
                name,
                gateway_namespace=self._args.namespace,
                gateway_name=gateway.name,
                listeners=certificates_of_listeners(gateway),
                opts=opts,
            )
        ]

    def _object(
        self, manifest: Manifest, depends_on: Sequence[pulumi.Resource]
    ) -> KubernetesObject:
        metadata = manifest["metadata"]
        where = metadata.get("namespace", self._args.namespace)
        elsewhere = where != self._args.namespace
        return KubernetesObject(
            f"{where}/{metadata['name']}" if elsewhere else metadata["name"],
            manifest,
            pulumi.ResourceOptions(
                parent=self, provider=self.kubernetes_provider, depends_on=depends_on
            ),
        )
