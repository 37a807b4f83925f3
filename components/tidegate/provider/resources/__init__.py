"""The resources of the provider, one handler each."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tidegate.local.stack import LocalStack
from tidegate.local.state_folder import StateFolder
from tidegate.provider.configuration import ProviderConfiguration
from tidegate.provider.handler import ResourceHandler
from tidegate.provider.resources.gateway import GatewayHandler
from tidegate.provider.resources.load_test_gate import LoadTestGateHandler
from tidegate.provider.resources.traffic_hold import TrafficHoldHandler
from tidegate.provider.resources.traffic_switch import TrafficSwitchHandler
from tidegate.provider.resources.triton_server import TritonServerHandler

UNCONFIGURED = ProviderConfiguration(
    state_folder="/nonexistent", environment="none", stack_file="the stack's settings file"
)


def make_handlers(
    configuration: ProviderConfiguration | None,
) -> Sequence[ResourceHandler[Any, Any]]:
    """All handlers; without a configuration they can only describe themselves."""
    settings = configuration or UNCONFIGURED
    stack = LocalStack(StateFolder(Path(settings.state_folder)))
    return [
        GatewayHandler(stack, settings.stack_file),
        TritonServerHandler(stack),
        LoadTestGateHandler(stack, settings.environment, settings.evidence),
        TrafficSwitchHandler(stack, settings.stack_file),
        TrafficHoldHandler(stack),
    ]
