"""A Gateway of Envoy Gateway as a Pulumi component."""

from dataclasses import dataclass

import pulumi

from tidegate.kubernetes.gateway_objects import gateway_objects, reference
from tidegate.kubernetes.objects import KubernetesObject
from tidegate.spec.kubernetes_gateway import GatewayReference, NewGateway


@dataclass(frozen=True, kw_only=True)
class KubernetesGatewayArgs:
    """Arguments of a `KubernetesGateway`.

    `provider` is the Kubernetes provider of the cluster. The namespace exists, and so do the
    Secrets that `gateway` names; `depends_on` are objects that have to be there first.
    """

    provider: pulumi.ProviderResource
    namespace: str
    gateway: NewGateway
    depends_on: tuple[pulumi.Resource, ...] = ()


class KubernetesGateway(pulumi.ComponentResource):
    """Envoys that users reach, with what a switch without a lost request needs of them."""

    address: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        args: KubernetesGatewayArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("tidegate:kubernetes:KubernetesGateway", name, None, opts)
        self.reference: GatewayReference = reference(args.gateway, args.namespace)
        made: list[pulumi.Resource] = []
        for each in gateway_objects(args.gateway, args.namespace):
            # One after the other: a Gateway without its class and its settings starts twice.
            opts_of_each = pulumi.ResourceOptions(
                parent=self, provider=args.provider, depends_on=[*args.depends_on, *made[-1:]]
            )
            made.append(KubernetesObject(each["metadata"]["name"], each, opts_of_each))
        self.resources = tuple(made)
        self.address = pulumi.Output.from_input(f"{args.namespace}/{args.gateway.name}")
        self.register_outputs({"address": self.address})
