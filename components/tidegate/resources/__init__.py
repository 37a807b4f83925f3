"""The provider's resources as Pulumi programs declare them.

The schema that the provider publishes describes every property; see `tidegate.provider.resources`.
"""

from tidegate.resources.embedded import Gateway, TritonServer
from tidegate.resources.promotion import LoadTestGate, TrafficHold, TrafficSwitch
from tidegate.resources.providers import TidegateClusterProvider, TidegateProvider
from tidegate.resources.slots import (
    ColdStandby,
    GatewayReadiness,
    NamespaceClaim,
    SlotReadiness,
    SlotRemoval,
    SlotRoom,
)

__all__ = [
    "ColdStandby",
    "Gateway",
    "GatewayReadiness",
    "LoadTestGate",
    "NamespaceClaim",
    "SlotReadiness",
    "SlotRemoval",
    "SlotRoom",
    "TidegateClusterProvider",
    "TidegateProvider",
    "TrafficHold",
    "TrafficSwitch",
    "TritonServer",
]
