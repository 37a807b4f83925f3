import pytest

from tests.unit.provider.stand_ins import Said, StackOnStandIns
from tidegate.gate.verdict import Outcome
from tidegate.provider.errors import ProviderError
from tidegate.provider.handler import Diff
from tidegate.provider.resources import traffic_mover
from tidegate.provider.resources.traffic_switch import TrafficSwitchHandler
from tidegate.provider.shared.traffic_inputs import TrafficSwitchInputs, TrafficSwitchOutputs

pytestmark = pytest.mark.unit

ONE = "digits-1-aaaaaaaa"
TWO = "digits-2-bbbbbbbb"
STACK_FILE = "stacks/Pulumi.test.yaml"


def inputs(revision: str, standby: str | None = None) -> TrafficSwitchInputs:
    return TrafficSwitchInputs(
        service="digits",
        models=["digits"],
        revision=revision,
        standby=standby,
        request_timeout_seconds=30,
        drain_seconds=1,
    )


@pytest.fixture
async def handler(stack: StackOnStandIns) -> TrafficSwitchHandler:
    """With a gateway, two servers that passed their gates, and the traffic at ONE."""
    await stack.start_gateway(ONE, TWO)
    for revision in (ONE, TWO):
        stack.add_server(revision)
        stack.decide(revision, Outcome.PASS)
    handler = TrafficSwitchHandler(stack, STACK_FILE)
    await handler.create(Said().operation, inputs(ONE, TWO))
    return handler


async def diff(handler: TrafficSwitchHandler, new: TrafficSwitchInputs) -> Diff:
    """Against a state in which ONE is live and TWO stands by."""
    return await handler.diff(
        "digits", TrafficSwitchOutputs(live_revision=ONE), inputs(ONE, TWO), new
    )


async def update(handler: TrafficSwitchHandler, new: TrafficSwitchInputs) -> Said:
    said = Said()
    outputs = TrafficSwitchOutputs(live_revision=ONE)
    await handler.update(said.operation, "digits", outputs, inputs(ONE, TWO), new)
    return said


async def test_a_create_moves_all_traffic_and_keeps_the_standby_at_zero(
    stack: StackOnStandIns, handler: TrafficSwitchHandler
) -> None:
    assert stack.envoy.weights == {ONE: 100, TWO: 0}
    assert await handler.read("digits", None) == TrafficSwitchOutputs(
        live_revision=ONE, weights={ONE: 100, TWO: 0}
    )
    assert await diff(handler, inputs(ONE, TWO)) == Diff()


async def test_an_update_moves_the_traffic_and_drains_the_old_revision(
    stack: StackOnStandIns, handler: TrafficSwitchHandler
) -> None:
    stack.envoy.in_flight = {ONE: 4}

    said = await update(handler, inputs(TWO, ONE))

    assert stack.envoy.weights == {ONE: 0, TWO: 100}
    assert said.info == [f"all traffic of digits goes to {TWO}"]
    assert f"draining {ONE}: 4 requests in flight" in said.status
    (warning,) = said.warnings
    assert f"{ONE} still has 4 requests open" in warning


async def test_another_service_is_another_switch(handler: TrafficSwitchHandler) -> None:
    other = inputs(ONE).model_copy(update={"service": "letters"})

    assert (await diff(handler, other)).replace == ("service",)


async def test_swapped_revisions_are_a_difference(handler: TrafficSwitchHandler) -> None:
    changed = (await diff(handler, inputs(TWO, ONE))).changed

    assert {"revision", "standby", "liveRevision"} <= set(changed)


async def test_a_live_route_unlike_the_declared_one_is_a_difference(
    stack: StackOnStandIns, handler: TrafficSwitchHandler
) -> None:
    """A killed `up` moved the traffic, the revert declares what the state says."""
    await update(handler, inputs(TWO, ONE))

    assert (await diff(handler, inputs(ONE, TWO))).changed == ("liveRevision", "weights")
    await update(handler, inputs(ONE, TWO))
    assert stack.envoy.weights == {ONE: 100, TWO: 0}
    assert await diff(handler, inputs(ONE, TWO)) == Diff()


async def test_a_state_that_an_interrupted_update_left_is_a_difference(
    handler: TrafficSwitchHandler,
) -> None:
    difference = await handler.diff(
        "digits", TrafficSwitchOutputs(live_revision=TWO), inputs(ONE, TWO), inputs(ONE, TWO)
    )

    assert difference.changed == ("revision",)


async def test_a_route_file_edited_by_hand_is_a_difference_and_is_mended(
    stack: StackOnStandIns, handler: TrafficSwitchHandler
) -> None:
    file = stack.gateway.discovery.routes_file
    good = file.read_text()
    file.write_text(good.replace('"weight": 100', '"weight": 99'))

    assert (await diff(handler, inputs(ONE, TWO))).changed == ("condition", "liveRevision")
    found = await handler.read("digits", inputs(ONE, TWO))
    assert found is not None
    assert "edited by hand" in found.live_revision
    await update(handler, inputs(ONE, TWO))
    assert file.read_text() == good
    assert await diff(handler, inputs(ONE, TWO)) == Diff()


async def test_envoy_serving_another_version_is_a_difference(
    stack: StackOnStandIns, handler: TrafficSwitchHandler
) -> None:
    stack.envoy.accepts_routes = False  # Envoy goes on with what it has
    stack.gateway.discovery.put_service(inputs(TWO, ONE).routes())

    assert "liveRevision" in (await diff(handler, inputs(TWO, ONE))).changed


async def test_envoy_being_down_is_a_difference(
    stack: StackOnStandIns, handler: TrafficSwitchHandler
) -> None:
    stack.supervisor.stop("gateway")

    assert (await diff(handler, inputs(ONE, TWO))).changed == ("condition", "liveRevision")


async def test_no_traffic_without_a_passed_gate(
    stack: StackOnStandIns, handler: TrafficSwitchHandler
) -> None:
    await stack.gates.remove(TWO)

    with pytest.raises(ProviderError, match=f"{TWO} takes no traffic: its gate has not passed"):
        await update(handler, inputs(TWO, ONE))

    assert stack.envoy.weights == {ONE: 100, TWO: 0}


async def test_no_traffic_for_a_failed_revision(
    stack: StackOnStandIns, handler: TrafficSwitchHandler
) -> None:
    await stack.gates.remove(TWO)
    stack.decide(TWO, Outcome.FAIL)

    with pytest.raises(ProviderError, match="its gate has not passed"):
        await update(handler, inputs(TWO, ONE))


async def test_no_traffic_for_a_revision_that_the_gateway_finds_unhealthy(
    stack: StackOnStandIns, handler: TrafficSwitchHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic_mover, "HEALTHY_WITHIN_SECONDS", 0.1)
    stack.envoy.unhealthy = {TWO}

    with pytest.raises(ProviderError, match="have not found it healthy"):
        await update(handler, inputs(TWO, ONE))

    assert stack.envoy.weights == {ONE: 100, TWO: 0}


async def test_routes_that_envoy_refuses_are_taken_back(
    stack: StackOnStandIns, handler: TrafficSwitchHandler
) -> None:
    before = stack.gateway.discovery.routes_file.read_text()
    stack.envoy.accepts_routes = False

    with pytest.raises(ProviderError, match="Envoy refused the new routes"):
        await update(handler, inputs(TWO, ONE))

    assert stack.gateway.discovery.routes_file.read_text() == before
    assert await diff(handler, inputs(ONE, TWO)) == Diff()


async def test_the_first_routes_of_a_service_are_removed_when_envoy_refuses_them(
    stack: StackOnStandIns,
) -> None:
    await stack.start_gateway(ONE)
    stack.add_server(ONE)
    stack.decide(ONE, Outcome.PASS)
    await stack.gateway.admin().routes_version()  # the stand-in has read its first routes
    stack.envoy.accepts_routes = False

    with pytest.raises(ProviderError, match="Envoy refused"):
        await TrafficSwitchHandler(stack, STACK_FILE).create(Said().operation, inputs(ONE))

    assert stack.gateway.discovery.services() == []


async def test_deletion_withdraws_the_routes(
    stack: StackOnStandIns, handler: TrafficSwitchHandler
) -> None:
    await handler.delete(Said().operation, "digits", TrafficSwitchOutputs(live_revision=ONE))

    assert stack.envoy.weights == {}
    assert await handler.read("digits", None) is None


async def test_deletion_needs_no_gateway(
    stack: StackOnStandIns, handler: TrafficSwitchHandler
) -> None:
    stack.supervisor.stop("gateway")

    await handler.delete(Said().operation, "digits", TrafficSwitchOutputs(live_revision=ONE))

    assert stack.gateway.discovery.services() == []
    assert stack.gateway.discovery.routes_are_as_recorded()


async def test_what_an_interrupted_up_left_is_stopped_once_the_traffic_is_right(
    stack: StackOnStandIns, handler: TrafficSwitchHandler
) -> None:
    stray = "digits-3-cccccccc"
    stack.decide(stray, Outcome.PASS)
    stack.add_server(stray)
    await update(handler, inputs(stray))  # killed before the engine wrote it down
    assert stack.strays() == []

    said = await update(handler, inputs(ONE, TWO))

    assert stack.gates.revisions() == [ONE, TWO]
    assert any(stray in line and "no stack declares it" in line for line in said.info)
