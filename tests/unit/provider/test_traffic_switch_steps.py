"""Switches that a conductor carries out: submitted, followed, adopted, taken back, refused."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.provider.stand_ins import Said, StackOnStandIns
from tidegate.gate.verdict import Outcome
from tidegate.local import switch_runs
from tidegate.provider.errors import CancelledOperation, ProviderError
from tidegate.provider.resources import traffic_switch
from tidegate.provider.resources.traffic_switch import TrafficSwitchHandler
from tidegate.provider.shared.traffic_inputs import TrafficSwitchInputs, TrafficSwitchOutputs
from tidegate.spec.traffic import CanaryStep, SwitchStrategy
from tidegate.traffic.switch_documents import Ending, Override

pytestmark = pytest.mark.unit

ONE = "digits-1-aaaaaaaa"
TWO = "digits-2-bbbbbbbb"
THREE = "digits-3-cccccccc"
CONDUCTOR = "switch-digits"
CANARY = SwitchStrategy(strategy="canary", steps=(CanaryStep(weight=10, seconds=60),))


def inputs(revision: str, standby: str | None = None, **changes: Any) -> TrafficSwitchInputs:
    fields: dict[str, Any] = {
        "service": "digits",
        "models": ["digits"],
        "revision": revision,
        "standby": standby,
        "strategy": CANARY,
        "request_timeout_seconds": 30,
        "drain_seconds": 0.2,
    }
    return TrafficSwitchInputs(**(fields | changes))


@pytest.fixture
async def handler(stack: StackOnStandIns) -> TrafficSwitchHandler:
    """Three servers that passed their gates, and the traffic at ONE."""
    await stack.start_gateway(ONE, TWO, THREE)
    for revision in (ONE, TWO, THREE):
        stack.add_server(revision)
        stack.decide(revision, Outcome.PASS)
    handler = TrafficSwitchHandler(stack, "stacks/Pulumi.test.yaml")
    await handler.create(Said().operation, inputs(ONE))
    return handler


async def update(
    handler: TrafficSwitchHandler, new: TrafficSwitchInputs, said: Said | None = None
) -> Said:
    said = said or Said()
    outputs = TrafficSwitchOutputs(live_revision=ONE)
    await handler.update(said.operation, "digits", outputs, inputs(ONE), new)
    return said


async def eventually(happens: Callable[[], bool]) -> None:
    for _ in range(1000):
        if happens():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("waited in vain")


async def until_step(stack: StackOnStandIns) -> None:
    """Wait for the first step of a run."""
    files = stack.gateway.discovery
    await eventually(lambda: any(each.weights.get(TWO) == 10 for each in files.services()))


async def test_the_first_revision_of_a_service_takes_its_traffic_at_once(
    stack: StackOnStandIns, handler: TrafficSwitchHandler
) -> None:
    assert stack.conductor.requests == []
    assert stack.switches.folder("digits").has_served(ONE)


async def test_a_conductor_brings_a_new_revision_in(
    stack: StackOnStandIns, handler: TrafficSwitchHandler
) -> None:
    said = await update(handler, inputs(TWO, ONE))

    (request,) = stack.conductor.requests
    assert (request.from_revision, request.to_revision) == (ONE, TWO)
    assert request.routes_before is not None
    assert request.routes_before.weights == {ONE: 100}
    assert [stage.kind for stage in request.stages] == ["shift", "final"]
    assert "step 1 of 2" in said.status
    assert "the stand-in ends with advanced" in said.info
    assert stack.switches.unfinished("digits") is None


async def test_going_back_to_a_revision_that_served_is_held_up_by_nothing(
    stack: StackOnStandIns, handler: TrafficSwitchHandler
) -> None:
    await update(handler, inputs(TWO, ONE))

    await update(handler, inputs(ONE, TWO))

    assert len(stack.conductor.requests) == 1
    assert stack.envoy.weights == {ONE: 100, TWO: 0}


# -- turned back ------------------------------------------------------------------------------


async def test_what_was_shown_stands_until_there_is_a_new_reason(
    stack: StackOnStandIns, handler: TrafficSwitchHandler
) -> None:
    stack.conductor.ending, stack.conductor.was_shown = Ending.TURNED_BACK, True
    with pytest.raises(ProviderError, match="1234 requests of users met it, 25 of them failed"):
        await update(handler, inputs(TWO, ONE))
    with pytest.raises(ProviderError, match="This stands for this revision"):
        await update(handler, inputs(TWO, ONE))
    assert len(stack.conductor.requests) == 1

    with pytest.raises(ProviderError, match="This stands"):  # nor is there a way around it
        await update(handler, inputs(TWO, ONE, strategy=SwitchStrategy()))

    with pytest.raises(ProviderError):
        await update(handler, inputs(TWO, ONE, retry="a disk was full"))
    with pytest.raises(ProviderError):  # the reason is used up
        await update(handler, inputs(TWO, ONE, retry="a disk was full"))
    assert len(stack.conductor.requests) == 2

    stack.conductor.ending = Ending.ADVANCED
    await update(handler, inputs(THREE, ONE))
    assert len(stack.conductor.requests) == 3


@pytest.mark.parametrize("ending", [Ending.TURNED_BACK, Ending.LEASE_LOST, Ending.SUPERSEDED])
async def test_what_was_not_shown_is_tried_again_by_the_next_update(
    stack: StackOnStandIns, handler: TrafficSwitchHandler, ending: Ending
) -> None:
    stack.conductor.ending = ending
    with pytest.raises(ProviderError, match=f"{TWO} does not take the traffic"):
        await update(handler, inputs(TWO, ONE))

    stack.conductor.ending = Ending.ADVANCED
    await update(handler, inputs(TWO, ONE))

    assert len(stack.conductor.requests) == 2


# -- interrupted ------------------------------------------------------------------------------


async def test_a_cancelled_update_turns_back_and_says_where_the_traffic_is(
    stack: StackOnStandIns, handler: TrafficSwitchHandler
) -> None:
    stack.conductor.ending = None
    said = Said()
    work = asyncio.create_task(update(handler, inputs(TWO, ONE), said))
    await until_step(stack)
    said.operation.cancelled.set()

    with pytest.raises(CancelledOperation, match=f"{ONE} has all of the traffic again"):
        await work

    assert stack.gateway.discovery.services()[0].weights == {ONE: 100}


async def leave_one_running(stack: StackOnStandIns, handler: TrafficSwitchHandler) -> None:
    """A switch to TWO whose `up` was killed."""
    stack.conductor.ending = None
    work = asyncio.create_task(update(handler, inputs(TWO, ONE)))
    await until_step(stack)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


async def test_the_next_update_follows_a_switch_that_is_under_way(
    stack: StackOnStandIns, handler: TrafficSwitchHandler
) -> None:
    await leave_one_running(stack, handler)
    stack.conductor.ending = Ending.ADVANCED

    said = await update(handler, inputs(TWO, ONE))

    assert len(stack.conductor.requests) == 1
    assert any("under way; following it" in line for line in said.info)


async def test_a_conductor_whose_supervisor_is_gone_is_started_again(
    stack: StackOnStandIns, handler: TrafficSwitchHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch_runs, "GONE_SECONDS", 0.1)
    stack.conductor.ending = None
    work = asyncio.create_task(update(handler, inputs(TWO, ONE)))
    await until_step(stack)
    stack.supervisor.stop(CONDUCTOR)
    stack.conductor.ending = Ending.ADVANCED

    await work

    first, second = stack.conductor.requests
    assert first == second


async def test_a_conductor_that_does_not_stay_up_is_reported_with_its_log(
    stack: StackOnStandIns, handler: TrafficSwitchHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch_runs, "GONE_SECONDS", 0.1)
    stack.conductor.ending = None
    stack.supervisor.ended.add(CONDUCTOR)
    log = stack.folder.log(CONDUCTOR)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("no space left on device")

    with pytest.raises(ProviderError, match=r"did not stay up.*\n.*no space left on device"):
        await update(handler, inputs(TWO, ONE))


async def test_a_switch_that_lost_its_lease_just_then_is_begun_anew(
    stack: StackOnStandIns, handler: TrafficSwitchHandler
) -> None:
    await leave_one_running(stack, handler)
    run = stack.switches.unfinished("digits")
    assert run is not None
    (run.folder / "cancel").touch()

    work = asyncio.create_task(update(handler, inputs(TWO, ONE)))
    await eventually(lambda: len(stack.conductor.requests) == 2)
    stack.conductor.ending = Ending.ADVANCED
    await work

    assert len(stack.conductor.requests) == 2


async def test_a_revert_takes_the_switch_back_that_is_under_way(
    stack: StackOnStandIns, handler: TrafficSwitchHandler
) -> None:
    await leave_one_running(stack, handler)
    difference = await handler.diff(
        "digits", TrafficSwitchOutputs(live_revision=ONE), inputs(ONE), inputs(ONE)
    )
    assert "liveRevision" in difference.changed
    assert any(f"a switch to {TWO} is under way" in note for note in difference.notes)

    said = await update(handler, inputs(ONE))

    assert any("is not declared any more" in line for line in said.info)
    assert stack.envoy.weights == {ONE: 100}
    assert stack.switches.unfinished("digits") is None


async def test_deletion_takes_a_switch_back_and_keeps_the_journal(
    stack: StackOnStandIns, handler: TrafficSwitchHandler
) -> None:
    await leave_one_running(stack, handler)
    folder = stack.switches.folder("digits")

    await handler.delete(Said().operation, "digits", TrafficSwitchOutputs(live_revision=ONE))

    assert stack.switches.latest("digits") is None
    assert not folder.has_served(ONE)
    assert [each["event"] for each in folder.events()][:2] == ["moved", "submitted"]


async def test_a_share_that_no_conductor_looks_after_is_taken_back_first(
    stack: StackOnStandIns, handler: TrafficSwitchHandler
) -> None:
    left = replace(inputs(ONE).routes(), weights={ONE: 75, TWO: 25})
    stack.gateway.discovery.put_service(left)

    await update(handler, inputs(TWO, ONE))

    (request,) = stack.conductor.requests
    assert request.routes_before is not None
    assert request.routes_before.weights == {ONE: 100}


# -- moved by hand ----------------------------------------------------------------------------


async def test_what_was_rolled_back_by_hand_is_not_moved_again_behind_anyones_back(
    stack: StackOnStandIns, handler: TrafficSwitchHandler
) -> None:
    override = Override(service="digits", revision=ONE, at="2026-11-22T03:12:00Z", by="night-shift")
    stack.switches.folder("digits").write_override(override)

    (failure,) = await handler.check(inputs(TWO, ONE))
    assert failure.property == "revision"
    for words in ("night-shift", "2026-11-22T03:12:00Z", ONE, "`tidegate rollback digits`"):
        assert words in failure.reason
    with pytest.raises(ProviderError, match="night-shift"):
        await update(handler, inputs(TWO, ONE))
    assert stack.conductor.requests == []


async def test_the_stack_file_that_follows_lifts_the_override(
    stack: StackOnStandIns, handler: TrafficSwitchHandler
) -> None:
    folder = stack.switches.folder("digits")
    folder.write_override(Override(service="digits", revision=ONE, at="then", by="somebody"))
    assert await handler.check(inputs(ONE)) == []
    difference = await handler.diff(
        "digits", TrafficSwitchOutputs(live_revision=ONE), inputs(ONE), inputs(ONE)
    )
    assert difference.changed == ("revision",)

    await update(handler, inputs(ONE))

    assert folder.override() is None


# -- at preview -------------------------------------------------------------------------------


@pytest.mark.parametrize(("users", "refused"), [(1, True), (100, False), (0, False)])
async def test_steps_too_short_for_the_users_there_are_are_refused(
    stack: StackOnStandIns,
    handler: TrafficSwitchHandler,
    monkeypatch: pytest.MonkeyPatch,
    users: int,
    refused: bool,
) -> None:
    monkeypatch.setattr(traffic_switch, "RATE_SECONDS", 0.1)
    stack.envoy.users_a_look = {ONE: users}

    failures = await handler.check(inputs(TWO, ONE))

    assert bool(failures) is refused
    if refused:
        assert failures[0].property == "strategy"
        assert "tidegate:services.digits: switch.steps.0.seconds" in failures[0].reason
        assert "10 requests/s" in failures[0].reason


async def test_the_rate_is_of_no_interest_where_nothing_goes_step_by_step(
    stack: StackOnStandIns, handler: TrafficSwitchHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_service: str) -> int:
        raise AssertionError("the rate was measured")

    monkeypatch.setattr(handler, "_users_requests", never)

    assert await handler.check(inputs(ONE)) == []
    assert await handler.check(inputs(TWO, ONE, strategy=SwitchStrategy())) == []


# -- drift ------------------------------------------------------------------------------------


async def notes(handler: TrafficSwitchHandler) -> str:
    difference = await handler.diff(
        "digits", TrafficSwitchOutputs(live_revision=ONE), inputs(ONE), inputs(ONE)
    )
    assert "liveRevision" in difference.changed
    return "; ".join(difference.notes)


async def test_drift_is_named(stack: StackOnStandIns, handler: TrafficSwitchHandler) -> None:
    files = stack.gateway.discovery
    good = files.routes_file.read_text()

    files.routes_file.write_text(good.replace('"weight": 100', '"weight": 99'))
    assert "the route file was edited by hand" in await notes(handler)
    files.routes_file.unlink()
    assert "the route file was deleted" in await notes(handler)
    files.put_service(replace(inputs(ONE).routes(), weights={ONE: 60, TWO: 40}))
    said = await notes(handler)
    assert f"{ONE} has 60%, declared 100%" in said
    assert f"{TWO} has 40%, declared no route" in said
    read = await handler.read("digits", inputs(ONE))
    assert read is not None
    assert read.weights == {ONE: 60, TWO: 40}
    stack.supervisor.stop("gateway")
    assert "Envoy is down" in await notes(handler)


async def test_a_declared_change_is_no_drift(handler: TrafficSwitchHandler) -> None:
    difference = await handler.diff(
        "digits", TrafficSwitchOutputs(live_revision=ONE), inputs(ONE), inputs(TWO, ONE)
    )

    assert difference.notes == ()
