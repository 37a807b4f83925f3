"""Rules about how a release reaches users."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate_rules.resources import Resource, Violation

LOAD_TEST_GATE = "tidegate:index:LoadTestGate"
TRAFFIC_SWITCH = "tidegate:index:TrafficSwitch"


def switch_without_gate(resources: Iterable[Resource]) -> list[Violation]:
    """Every TrafficSwitch depends on a LoadTestGate.

    Without that dependency the engine may turn the traffic before a gate has decided.
    """
    stack = list(resources)
    gates = {resource.urn for resource in stack if resource.type == LOAD_TEST_GATE}
    return [
        Violation(
            resource.urn,
            "This TrafficSwitch depends on no LoadTestGate, so traffic would turn to a release "
            "that nothing has tested. Declare the service through InferenceService, or pass the "
            "release's gate in the switch's `depends_on`.",
        )
        for resource in stack
        if resource.type == TRAFFIC_SWITCH and gates.isdisjoint(resource.dependencies)
    ]
