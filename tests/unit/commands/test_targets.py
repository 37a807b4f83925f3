"""Which resources an update of one service alone names."""

from typing import Any

import pytest

from tidegate.commands.targets import Resource, in_preview, in_state, targets_of
from tidegate.spec.errors import SpecError

pytestmark = pytest.mark.unit

STACK = "urn:pulumi:test::tidegate::pulumi:pulumi:Stack::tidegate-test"
PLATFORM = "urn:pulumi:test::tidegate::tidegate:local:LocalPlatform::local"
PROVIDER = (
    "urn:pulumi:test::tidegate::tidegate:local:LocalPlatform$pulumi:providers:tidegate::local"
)
GATEWAY = "urn:pulumi:test::tidegate::tidegate:local:LocalPlatform$tidegate:index:Gateway::local"


def step(
    urn: str, parent: str | None, operation: str = "same", *, provided: bool = True
) -> dict[str, Any]:
    state: dict[str, Any] = {"urn": urn, "type": urn.split("::")[2].rpartition("$")[2]}
    if parent is not None:
        state["parent"] = parent
    if provided:
        state["provider"] = f"{PROVIDER}::0c7d"
    side = "oldState" if operation == "delete" else "newState"
    return {"op": operation, "urn": urn, side: state}


def service(name: str) -> str:
    return f"urn:pulumi:test::tidegate::tidegate:serving:InferenceService::{name}"


def child(kind: str, name: str) -> str:
    return (
        "urn:pulumi:test::tidegate::tidegate:serving:InferenceService$"
        f"tidegate:index:{kind}::{name}"
    )


def previewed(**operations: str) -> list[Resource]:
    """Two services whose names begin alike, with a slot and a switch each."""
    found = [
        step(STACK, None, provided=False),
        step(PLATFORM, STACK, provided=False),
        step(PROVIDER, PLATFORM, provided=False),
        step(GATEWAY, PLATFORM, operations.get("gateway", "same")),
    ]
    for name in ("digits", "digits-two"):
        found.append(step(service(name), STACK, provided=False))
        for kind, child_name in (("TrafficSwitch", name), ("TritonServer", f"{name}-1-aaaaaaaa")):
            operation = operations.get(kind, "same") if name == "digits" else "update"
            found.append(step(child(kind, child_name), service(name), operation))
    return in_preview({"steps": found})


def test_a_service_is_itself_its_children_and_its_provider() -> None:
    found = targets_of("digits", previewed(TrafficSwitch="update", gateway="update"))

    assert found == sorted(
        [
            PROVIDER,
            service("digits"),
            child("TrafficSwitch", "digits"),
            child("TritonServer", "digits-1-aaaaaaaa"),
        ]
    )


@pytest.mark.parametrize("operation", ["create", "delete", "replace"])
def test_the_gateway_belongs_to_a_service_that_gains_or_loses_a_slot(operation: str) -> None:
    assert GATEWAY in targets_of("digits", previewed(TritonServer=operation))


def test_an_unknown_service_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(SpecError, match="one of: digits, digits-two"):
        targets_of("digit", previewed())


def test_the_state_names_the_same_resources_and_no_gateway() -> None:
    resources = [step(each.urn, each.parent or None)["newState"] for each in previewed()]
    for each in resources:
        if each["type"] != "tidegate:index:TrafficSwitch":
            each.pop("provider")

    found = targets_of("digits", in_state({"deployment": {"resources": resources}}))

    assert found == targets_of("digits", previewed())
    assert GATEWAY not in found


def test_a_stack_that_was_never_updated_has_no_service() -> None:
    with pytest.raises(SpecError, match="there is none yet"):
        targets_of("digits", in_state({"deployment": {}}))
