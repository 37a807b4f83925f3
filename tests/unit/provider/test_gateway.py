import os
import socket
from typing import Any

import psutil
import pytest

from tests.unit.provider.stand_ins import Said, StackOnStandIns, free_ports
from tidegate.gate.verdict import Outcome
from tidegate.local.supervision import Program
from tidegate.provider.errors import ProviderError
from tidegate.provider.handler import Diff
from tidegate.provider.resources.gateway import (
    RESOURCE_ID,
    GatewayHandler,
    GatewayInputs,
    GatewayOutputs,
)
from tidegate.traffic.routes import ServiceRoutes

pytestmark = pytest.mark.unit

DECLARED = "digits-1-aaaaaaaa"
STRAY = "digits-3-cccccccc"
STACK_FILE = "stacks/Pulumi.test.yaml"


def inputs(**changes: Any) -> GatewayInputs:
    port, admin_port = free_ports(2)
    fields: dict[str, Any] = {
        "port": port,
        "admin_port": admin_port,
        "revisions": [DECLARED],
        "services": ["digits"],
    }
    return GatewayInputs(**(fields | changes))


@pytest.fixture
def handler(stack: StackOnStandIns) -> GatewayHandler:
    return GatewayHandler(stack, STACK_FILE)


async def create(handler: GatewayHandler, declared: GatewayInputs) -> GatewayOutputs:
    return (await handler.create(Said().operation, declared)).outputs


@pytest.mark.parametrize(("name", "key"), [("port", "port"), ("admin_port", "adminPort")])
async def test_a_port_that_is_held_is_refused_at_preview_with_holder_file_and_key(
    handler: GatewayHandler, name: str, key: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        (failure,) = await handler.check(inputs(**{name: port}))

    me = psutil.Process().name()
    assert failure.property == key
    assert failure.reason.startswith(f"{STACK_FILE}: tidegate:platform.local.gateway.{key}: {port}")
    assert f"held by {me} (pid {os.getpid()})" in failure.reason
    assert "write a free port" in failure.reason


async def test_a_port_that_is_held_stops_a_create_as_well(handler: GatewayHandler) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as held,
        pytest.raises(ProviderError, match=rf"is held by .* \(pid {os.getpid()}\)"),
    ):
        await create(handler, inputs(port=held.getsockname()[1]))


async def test_free_ports_and_the_gateways_own_are_right(handler: GatewayHandler) -> None:
    declared = inputs()
    assert await handler.check(declared) == []

    await create(handler, declared)

    assert await handler.check(declared) == []


async def test_the_address_is_that_of_the_declared_ports(handler: GatewayHandler) -> None:
    declared = inputs()

    outputs = await create(handler, declared)

    assert outputs.address == f"127.0.0.1:{declared.port}"
    assert outputs.admin_address == f"127.0.0.1:{declared.admin_port}"
    assert await handler.read(RESOURCE_ID, declared) == outputs
    assert await handler.diff(RESOURCE_ID, outputs, declared, declared) == Diff()


async def test_ports_that_are_not_given_are_chosen_and_kept(
    stack: StackOnStandIns, handler: GatewayHandler
) -> None:
    declared = inputs(port=None, admin_port=None)

    first = await create(handler, declared)
    stack.supervisor.stop("gateway")
    second = await create(handler, declared)

    assert first == second


@pytest.mark.parametrize(("given", "chosen"), [("admin_port", "port"), ("port", "admin_port")])
async def test_a_chosen_port_is_never_the_other_one(
    handler: GatewayHandler, given: str, chosen: str
) -> None:
    """The configured port may be the one that would be chosen first."""
    preferred = await create(handler, inputs(**{chosen: None}))
    address = preferred.address if chosen == "port" else preferred.admin_address
    port = int(address.rpartition(":")[2])
    await handler.delete(Said().operation, RESOURCE_ID, preferred)

    outputs = await create(handler, inputs(**{given: port, chosen: None}))

    assert outputs.address != outputs.admin_address


@pytest.mark.parametrize("loss", ["process", "cluster file", "record", "command"])
async def test_a_gateway_that_is_not_as_declared_is_a_difference(
    stack: StackOnStandIns, handler: GatewayHandler, loss: str
) -> None:
    declared = inputs()
    outputs = await create(handler, declared)
    match loss:
        case "process":
            stack.supervisor.stop("gateway")
        case "cluster file":
            stack.gateway.discovery.clusters_file.write_text("{}")
        case "record":
            (stack.folder.gateway / "gateway.json").unlink()
        case "command":  # another version of tidegate started it
            earlier = Program("gateway", [*stack.supervisor.programs["gateway"].command, "--old"])
            stack.supervisor.start(earlier)

    assert await handler.diff(RESOURCE_ID, outputs, declared, declared) == Diff(
        changed=("address",)
    )
    assert await create(handler, declared) == outputs
    assert await handler.diff(RESOURCE_ID, outputs, declared, declared) == Diff()


async def test_what_a_killed_up_left_is_a_difference_and_is_stopped(
    stack: StackOnStandIns, handler: GatewayHandler
) -> None:
    declared = inputs()
    outputs = await create(handler, declared)
    stack.decide(STRAY, Outcome.FAIL)
    stack.decide(DECLARED, Outcome.PASS)

    assert (await handler.diff(RESOURCE_ID, outputs, declared, declared)).changed == ("revisions",)
    said = Said()
    await handler.update(said.operation, RESOURCE_ID, outputs, declared, declared)

    assert stack.gates.revisions() == [DECLARED]
    assert said.info == [f"stopped {STRAY}: no stack declares it, no route mentions it"]
    assert await handler.diff(RESOURCE_ID, outputs, declared, declared) == Diff()


@pytest.mark.parametrize("weight", [100, 0])
async def test_what_a_route_mentions_is_no_stray(
    stack: StackOnStandIns, handler: GatewayHandler, weight: int
) -> None:
    declared = inputs()
    await create(handler, declared)
    stack.decide(STRAY, Outcome.PASS)
    weights = {STRAY: weight, DECLARED: 100 - weight}
    stack.gateway.discovery.put_service(ServiceRoutes("digits", ("digits",), weights, 30))

    assert stack.strays() == []


async def test_what_is_declared_now_is_no_difference_although_it_was_a_stray(
    stack: StackOnStandIns, handler: GatewayHandler
) -> None:
    declared = inputs()
    outputs = await create(handler, declared)
    stack.decide(STRAY, Outcome.PASS)
    both = declared.model_copy(update={"revisions": [DECLARED, STRAY]})

    assert await handler.diff(RESOURCE_ID, outputs, both, both) == Diff()


async def test_routes_that_only_a_killed_up_knows_are_withdrawn(
    stack: StackOnStandIns, handler: GatewayHandler
) -> None:
    declared = inputs()
    outputs = await create(handler, declared)
    for service in ("letters", "known"):
        weights = {STRAY: 100}
        stack.gateway.discovery.put_service(ServiceRoutes(service, (service,), weights, 30))
    stack.note_switch("letters", recorded=False)
    stack.note_switch("known", recorded=True)

    assert (await handler.diff(RESOURCE_ID, outputs, declared, declared)).changed == ("revisions",)
    await create(handler, declared)

    assert [each.service for each in stack.gateway.discovery.services()] == ["known"]


async def test_deletion_stops_everything_of_the_stack(
    stack: StackOnStandIns, handler: GatewayHandler
) -> None:
    declared = inputs()
    outputs = await create(handler, declared)
    stack.decide(STRAY, Outcome.PASS)

    await handler.delete(Said().operation, RESOURCE_ID, outputs)

    assert await handler.read(RESOURCE_ID, declared) is None
    assert stack.gates.revisions() == []
    assert stack.supervisor.was_shut_down
    assert stack.supervisor.programs == {}
