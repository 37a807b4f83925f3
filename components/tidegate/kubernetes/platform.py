"""A cluster as a platform: `KubernetesPlatform`."""

from collections.abc import Sequence
from pathlib import Path

import pulumi
import pulumi_kubernetes

from tidegate.kubernetes import PLATFORM
from tidegate.kubernetes.gateway import KubernetesGateway, KubernetesGatewayArgs
from tidegate.kubernetes.gateway_objects import certificates_of_listeners, reference
from tidegate.kubernetes.images import located
from tidegate.kubernetes.network import Network, default_deny, runner_policy
from tidegate.kubernetes.objects import KubernetesObject, Manifest
from tidegate.kubernetes.platform_arguments import KubernetesPlatformArgs
from tidegate.kubernetes.platform_objects import (
    namespace_object,
    priority_class,
    priority_class_name,
)
from tidegate.kubernetes.runner_access import runner_access
from tidegate.kubernetes.slots import Slots
from tidegate.resources import GatewayReadiness, NamespaceClaim, TidegateClusterProvider
from tidegate.serving.platform import Slot
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.spec.revision import Revision
from tidegate.spec.serving_on_kubernetes import Replicas

__all__ = ["KubernetesPlatform", "KubernetesPlatformArgs"]


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
        kubeconfig = pulumi.Output.secret(args.access) if args.access is not None else None
        self.kubernetes_provider = pulumi_kubernetes.Provider(
            name,
            kubeconfig=kubeconfig,
            context=args.context,
            opts=pulumi.ResourceOptions(parent=self),
        )
        gateway = self._reference()
        self._tidegate_provider = TidegateClusterProvider(
            name,
            kubeconfig=args.access,
            context=args.context,
            namespace=args.namespace,
            gateway=gateway,
            runner_image=located(args.runner_image, args.registry),
            evidence=args.evidence_place,
            environment=args.environment,
            stack_file=args.stack_file,
            gate_lease_namespace=args.gate_lease_namespace,
            evidence_endpoint=args.evidence_endpoint,
            image_pull_secrets=args.image_pull_secrets,
            runner=args.runner,
            opts=pulumi.ResourceOptions(parent=self),
        )
        stack = f"{pulumi.get_project()}/{pulumi.get_stack()}"
        needed = self._before_all(stack)
        made = self._gateway(name, needed)
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
                    stack,
                    args.gate_lease_namespace,
                    args.runner.service_account_annotations,
                ),
            )
        ]
        # Gates and switches need all of it, and need it until the last of them has gone.
        self._last = self._object(runner_policy(network), [*needed, *made])
        self._slots = Slots(
            kubernetes_provider=self.kubernetes_provider,
            tidegate_provider=self._tidegate_provider,
            network=network,
            pools=args.all_pools,
            runner_image=args.runner_image,
            registry=args.registry,
            priority_class=args.priority_class or priority_class_name(args.namespace),
            image_pull_secrets=tuple(args.image_pull_secrets),
            scheduling_seconds=args.scheduling_seconds,
            # What is wrong with the Gateway is said before any GPU is taken.
            depends_on=(self._last, *self._gateway_readiness(name)),
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

    @property
    def ready(self) -> Sequence[pulumi.Resource]:
        return (self._last,)

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

    def _before_all(self, stack: str) -> list[pulumi.Resource]:
        """Namespace and priority class, without which no pod starts, and before them the claim."""
        args = self._args
        claim = NamespaceClaim(
            args.namespace,
            namespace=args.namespace,
            stack=stack,
            create_namespace=args.create_namespace,
            opts=pulumi.ResourceOptions(parent=self, provider=self._tidegate_provider),
        )
        made: list[pulumi.Resource] = [claim]
        if args.create_namespace:
            made.append(self._object(namespace_object(args.namespace, stack), [claim]))
        if args.priority_class is None:
            made.append(self._object(priority_class(args.namespace), [claim]))
        return made

    def _reference(self) -> GatewayReference:
        gateway = self._args.gateway
        if isinstance(gateway, GatewayReference):
            return gateway
        return reference(gateway, self._args.namespace)

    def _gateway(self, name: str, needed: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        gateway = self._args.gateway
        if isinstance(gateway, GatewayReference):
            return []
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
        return list(component.resources)

    def _gateway_readiness(self, name: str) -> list[pulumi.Resource]:
        """For the Gateway that is made here; one of the user's own is the user's to watch."""
        gateway = self._args.gateway
        if isinstance(gateway, GatewayReference):
            return []
        opts = pulumi.ResourceOptions(
            parent=self, provider=self._tidegate_provider, depends_on=[self._last]
        )
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
