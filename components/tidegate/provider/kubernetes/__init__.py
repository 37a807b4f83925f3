"""The provider's resources when it is configured for a cluster."""

from tidegate.provider.kubernetes.load_test_gate import LoadTestGateHandler
from tidegate.provider.kubernetes.slot_readiness import SlotReadinessHandler
from tidegate.provider.kubernetes.traffic_hold import TrafficHoldHandler
from tidegate.provider.kubernetes.traffic_switch import TrafficSwitchHandler

__all__ = [
    "LoadTestGateHandler",
    "SlotReadinessHandler",
    "TrafficHoldHandler",
    "TrafficSwitchHandler",
]
