"""Resources that look after namespace, slots and gateway of a cluster."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pulumi

from tidegate.resources.base import TidegateResource


class NamespaceClaim(TidegateResource):
    """Exists when nobody else's namespace would be taken; made before everything in it."""

    def __init__(
        self,
        name: str,
        *,
        namespace: str,
        stack: str,
        create_namespace: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {"namespace": namespace, "stack": stack, "create_namespace": create_namespace}
        super().__init__("NamespaceClaim", name, inputs, [], opts)


class GatewayReadiness(TidegateResource):
    """Exists when a Gateway's listeners are served; says otherwise, in time, what is wrong."""

    condition: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        gateway_namespace: str,
        gateway_name: str,
        listeners: Mapping[str, Sequence[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`listeners`: Secrets with certificates by the listener's name."""
        inputs = {
            "namespace": gateway_namespace,
            "name": gateway_name,
            "listeners": {each: list(secrets) for each, secrets in listeners.items()},
        }
        super().__init__("GatewayReadiness", name, inputs, ["condition"], opts)


class SlotReadiness(TidegateResource):
    """Exists when a slot's pods serve; says otherwise, in time, what keeps them from it."""

    condition: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        service: str,
        revision: str,
        workload: Literal["Deployment", "LeaderWorkerSet"],
        workload_name: str,
        is_scaled: bool,
        service_name: str,
        replicas: int,
        timeout_seconds: float,
        accelerator_pool: str | None,
        pools: Sequence[Mapping[str, Any]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`pools`: name, nodeLabels and allocatable (resource to quantity) of each."""
        inputs = {
            "service": service,
            "revision": revision,
            "workload": workload,
            "workload_name": workload_name,
            "is_scaled": is_scaled,
            "service_name": service_name,
            "replicas": replicas,
            "timeout_seconds": timeout_seconds,
            "accelerator_pool": accelerator_pool,
            "pools": list(pools),
        }
        super().__init__("SlotReadiness", name, inputs, ["condition"], opts)


class SlotRoom(TidegateResource):
    """Scales slots that nobody declares any more to zero before new ones start."""

    condition: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        service: str,
        revisions: Sequence[str],
        drain_seconds: float,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`revisions` are those that are declared; their slots are left alone."""
        inputs = {
            "service": service,
            "revisions": list(revisions),
            "drain_seconds": drain_seconds,
        }
        super().__init__("SlotRoom", name, inputs, ["condition"], opts)


class ColdStandby(TidegateResource):
    """Scales the standby's slot to zero once the traffic is elsewhere."""

    condition: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        service: str,
        revision: str,
        drain_seconds: float,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {"service": service, "revision": revision, "drain_seconds": drain_seconds}
        super().__init__("ColdStandby", name, inputs, ["condition"], opts)


class SlotRemoval(TidegateResource):
    """Removes a slot's objects, which the stack itself only forgets; it goes after them."""

    def __init__(
        self,
        name: str,
        *,
        service: str,
        revision: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {"service": service, "revision": revision}
        super().__init__("SlotRemoval", name, inputs, [], opts)
