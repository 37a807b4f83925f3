"""The provider's resources when it is configured for a cluster."""

from tidegate.provider.kubernetes.cold_standby import ColdStandbyHandler
from tidegate.provider.kubernetes.gateway_readiness import GatewayReadinessHandler
from tidegate.provider.kubernetes.load_test_gate import LoadTestGateHandler
from tidegate.provider.kubernetes.namespace_claim import NamespaceClaimHandler
from tidegate.provider.kubernetes.slot_readiness import SlotReadinessHandler
from tidegate.provider.kubernetes.slot_removal import SlotRemovalHandler
from tidegate.provider.kubernetes.slot_room import SlotRoomHandler
from tidegate.provider.kubernetes.traffic_hold import TrafficHoldHandler
from tidegate.provider.kubernetes.traffic_switch import TrafficSwitchHandler

__all__ = [
    "ColdStandbyHandler",
    "GatewayReadinessHandler",
    "LoadTestGateHandler",
    "NamespaceClaimHandler",
    "SlotReadinessHandler",
    "SlotRemovalHandler",
    "SlotRoomHandler",
    "TrafficHoldHandler",
    "TrafficSwitchHandler",
]
