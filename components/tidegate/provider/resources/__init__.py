"""The resources of the provider, one handler each.

A platform's handlers are imported when it is configured: the engine waits while a plugin starts.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tidegate.provider.configuration import (
    EmbeddedConfiguration,
    KubernetesConfiguration,
    ProviderConfiguration,
)
from tidegate.provider.handler import ResourceHandler
from tidegate.spec.kubernetes_gateway import GatewayReference

Handlers = Sequence[ResourceHandler[Any, Any]]

UNCONFIGURED = EmbeddedConfiguration(
    state_folder="/nonexistent",
    environment="none",
    evidence=None,
    stack_file="the stack's settings file",
)
NO_CLUSTER = KubernetesConfiguration(
    namespace="none",
    gateway=GatewayReference(namespace="none", name="none"),
    runner_image="none",
    environment="none",
    evidence="/nonexistent",
    stack_file="the stack's settings file",
)


def make_handlers(configuration: ProviderConfiguration | None) -> Handlers:
    """Those of the configured platform. Without a configuration all, to describe themselves."""
    if configuration is None:
        # What both platforms have is described by either.
        described = {each.type_name: each for each in on_kubernetes(NO_CLUSTER)}
        return list(
            (described | {each.type_name: each for each in embedded(UNCONFIGURED)}).values()
        )
    if configuration.kubernetes is not None:
        return on_kubernetes(configuration.kubernetes)
    return embedded(configuration.embedded or UNCONFIGURED)


def embedded(settings: EmbeddedConfiguration) -> Handlers:
    from tidegate.local.stack import LocalStack
    from tidegate.local.state_folder import StateFolder
    from tidegate.provider.resources.gateway import GatewayHandler
    from tidegate.provider.resources.load_test_gate import LoadTestGateHandler
    from tidegate.provider.resources.traffic_hold import TrafficHoldHandler
    from tidegate.provider.resources.traffic_switch import TrafficSwitchHandler
    from tidegate.provider.resources.triton_server import TritonServerHandler

    stack = LocalStack(StateFolder(Path(settings.state_folder)))
    return [
        GatewayHandler(stack, settings.stack_file),
        TritonServerHandler(stack),
        LoadTestGateHandler(stack, settings.environment, settings.evidence),
        TrafficSwitchHandler(stack, settings.stack_file),
        TrafficHoldHandler(stack),
    ]


def on_kubernetes(settings: KubernetesConfiguration) -> Handlers:
    from tidegate.provider import kubernetes
    from tidegate.provider.kubernetes.access import ClusterAccess

    access = ClusterAccess(settings)
    return [
        kubernetes.NamespaceClaimHandler(access),
        kubernetes.GatewayReadinessHandler(access),
        kubernetes.SlotRoomHandler(access),
        kubernetes.SlotRemovalHandler(access),
        kubernetes.SlotReadinessHandler(access),
        kubernetes.ColdStandbyHandler(access),
        kubernetes.LoadTestGateHandler(access),
        kubernetes.TrafficSwitchHandler(access),
        kubernetes.TrafficHoldHandler(access),
    ]
