"""The rules about how a release reaches users."""

from __future__ import annotations

import pytest

from tidegate_rules.release import LOAD_TEST_GATE, TRAFFIC_SWITCH, switch_without_gate
from tidegate_rules.resources import Resource

pytestmark = pytest.mark.unit

GATE = Resource("urn:gate", LOAD_TEST_GATE)


def test_a_switch_behind_a_gate_is_accepted() -> None:
    switch = Resource("urn:switch", TRAFFIC_SWITCH, frozenset({"urn:gate", "urn:other"}))
    assert switch_without_gate([switch, GATE]) == []


def test_a_switch_without_a_gate_is_named() -> None:
    guarded = Resource("urn:guarded", TRAFFIC_SWITCH, frozenset({"urn:gate"}))
    bare = Resource("urn:bare", TRAFFIC_SWITCH)
    (violation,) = switch_without_gate([GATE, guarded, bare])
    assert violation.urn == "urn:bare"
    assert "depends on no LoadTestGate" in violation.message


def test_a_dependency_on_something_else_is_no_gate() -> None:
    server = Resource("urn:server", "tidegate:index:TritonServer")
    switch = Resource("urn:switch", TRAFFIC_SWITCH, frozenset({"urn:server"}))
    assert [violation.urn for violation in switch_without_gate([server, GATE, switch])] == [
        "urn:switch"
    ]


def test_a_stack_without_switches_breaks_nothing() -> None:
    assert switch_without_gate([GATE, Resource("urn:other", "aws:s3/bucket:Bucket")]) == []
