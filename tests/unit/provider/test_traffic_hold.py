from functools import partial

import pytest

from tests.unit.provider.stand_ins import Said, StackOnStandIns
from tidegate.provider.errors import ProviderError
from tidegate.provider.resources import traffic_hold
from tidegate.provider.resources.traffic_hold import TrafficHoldHandler
from tidegate.provider.shared.hold_inputs import TrafficHoldInputs, TrafficHoldOutputs
from tidegate.traffic.drain import drain
from tidegate.traffic.routes import ServiceRoutes

pytestmark = pytest.mark.unit

HELD = "digits-1-aaaaaaaa"
OTHER = "digits-2-bbbbbbbb"


def route(stack: StackOnStandIns, **weights: int) -> None:
    named = {HELD: weights.get("held"), OTHER: weights.get("other")}
    given = {revision: weight for revision, weight in named.items() if weight is not None}
    stack.gateway.discovery.put_service(ServiceRoutes("digits", ("digits",), given, 30))


async def delete(stack: StackOnStandIns) -> Said:
    said = Said()
    outputs = TrafficHoldOutputs(drain_limit_seconds=0.3)
    await TrafficHoldHandler(stack).delete(said.operation, HELD, outputs)
    return said


async def test_its_id_is_the_revision_it_holds(stack: StackOnStandIns) -> None:
    handler = TrafficHoldHandler(stack)
    inputs = TrafficHoldInputs(service="digits", revision=HELD, drain_seconds=5)

    created = await handler.create(Said().operation, inputs)

    assert created.id == HELD
    assert created.outputs.drain_limit_seconds == 5
    assert await handler.read(HELD, inputs) == created.outputs


@pytest.mark.parametrize("weight", [100, 0])
async def test_it_stays_while_a_route_mentions_the_revision(
    stack: StackOnStandIns, weight: int
) -> None:
    route(stack, held=weight, other=100 - weight)

    with pytest.raises(ProviderError, match=rf"{HELD} stays.* routes of digits.* {weight}%"):
        await delete(stack)


async def test_it_goes_at_once_when_no_gateway_serves(stack: StackOnStandIns) -> None:
    route(stack, other=100)
    stack.envoy.in_flight = {HELD: 3}

    assert (await delete(stack)).warnings == []


async def test_it_waits_until_requests_in_flight_have_ended(
    stack: StackOnStandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stack.start_gateway()
    route(stack, other=100)
    stack.envoy.in_flight = {HELD: 3, OTHER: 99}
    said = Said()
    polls = 0

    async def sleep(_seconds: float) -> None:
        nonlocal polls
        polls += 1
        stack.envoy.in_flight[HELD] = max(0, 3 - polls)

    monkeypatch.setattr(said.operation, "sleep", sleep)
    outputs = TrafficHoldOutputs(drain_limit_seconds=60)
    await TrafficHoldHandler(stack).delete(said.operation, HELD, outputs)

    assert f"draining {HELD}: 3 requests in flight" in said.status
    assert said.warnings == []
    assert polls >= 3


async def test_at_the_limit_it_warns_and_lets_go(
    stack: StackOnStandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stack.start_gateway()
    route(stack, other=100)
    stack.envoy.in_flight = {HELD: 2}
    said = Said()
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(said.operation, "sleep", sleep)
    monkeypatch.setattr(traffic_hold, "drain", partial(drain, clock=lambda: now))
    outputs = TrafficHoldOutputs(drain_limit_seconds=2)
    await TrafficHoldHandler(stack).delete(said.operation, HELD, outputs)

    (warning,) = said.warnings
    assert warning.startswith(f"{HELD} still has 2 requests open after 2.0 s (http 2)")
    assert "cut" in warning


async def test_a_revision_that_goes_has_not_served_when_it_comes_back(
    stack: StackOnStandIns,
) -> None:
    switch = stack.switches.folder("digits")
    switch.note_served(HELD)
    switch.note_served(OTHER)

    await delete(stack)

    assert not switch.has_served(HELD)
    assert switch.has_served(OTHER)


async def test_a_revision_never_routed_goes_without_waiting(stack: StackOnStandIns) -> None:
    await stack.start_gateway()

    assert (await delete(stack)).warnings == []
