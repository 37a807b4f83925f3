import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from tests.unit.cluster.api_server import ApiServer
from tests.unit.provider.kubernetes.runners import GATEWAY, Runners, note, until
from tests.unit.provider.stand_ins import Said
from tidegate.cluster import names
from tidegate.cluster.kinds import (
    BACKEND_TRAFFIC_POLICY,
    CONFIG_MAP,
    DEPLOYMENT,
    GRPC_ROUTE,
    HTTP_ROUTE,
    JOB,
    LEASE,
    SERVICE,
)
from tidegate.gate.verdict import Outcome
from tidegate.provider.errors import CancelledOperation, ProviderError
from tidegate.provider.handler import CheckFailure, Diff
from tidegate.provider.kubernetes import TrafficSwitchHandler, switch_runs
from tidegate.provider.kubernetes.access import ClusterAccess
from tidegate.provider.shared.traffic_inputs import (
    TrafficSwitchInputs,
    TrafficSwitchOutputs,
)
from tidegate.records.drains import DrainRecords, DrainRequest
from tidegate.records.gates import GateRecords
from tidegate.records.switches import SwitchRecords
from tidegate.spec.traffic import Affinity, CanaryStep, SwitchStrategy
from tidegate.traffic.gateway_api.objects import OWNED
from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.switch_documents import Ending, Override

pytestmark = pytest.mark.unit

ONE = "digits-1-aaaaaaaa"
TWO = "digits-2-bbbbbbbb"
CANARY = SwitchStrategy(strategy="canary", steps=(CanaryStep(weight=25, seconds=12),))
OVERRIDE = Override(service="digits", revision=ONE, at="2026-11-23T01:00:00Z", by="ann")


def inputs(revision: str, standby: str | None = None, **changes: Any) -> TrafficSwitchInputs:
    fields: dict[str, Any] = {
        "service": "digits",
        "models": ["digits"],
        "revision": revision,
        "standby": standby,
        "hostnames": ["digits.example.org"],
        "request_timeout_seconds": 30,
        "drain_seconds": 0.2,
    }
    return TrafficSwitchInputs(**(fields | changes))


def test_everything_that_routes_know_is_declared() -> None:
    declared = inputs(
        TWO,
        ONE,
        affinity=Affinity(cookie="session"),
        retries=2,
        max_stream_seconds=60,
    ).routes()

    assert declared == ServiceRoutes(
        service="digits",
        models=("digits",),
        weights={TWO: 100, ONE: 0},
        request_timeout_seconds=30,
        max_stream_seconds=60,
        retries=2,
        affinity=Affinity(cookie="session"),
        hostnames=("digits.example.org",),
    )


@pytest.fixture
async def handler(access: ClusterAccess, api: ApiServer, runners: Runners) -> TrafficSwitchHandler:
    """Two gates have passed, and the traffic is at ONE."""
    gates = GateRecords(access.cluster())
    for revision in (ONE, TWO):
        await gates.ensure("digits", revision)
        await gates.keep_verdict(revision, note(Outcome.PASS, f"sha256:{'0' * 64}"))
    handler = TrafficSwitchHandler(access)
    await handler.create(Said().operation, inputs(ONE, TWO))
    return handler


def settle(api: ApiServer) -> None:
    """The Gateway's controller has seen the routes."""
    for kind in (HTTP_ROUTE, GRPC_ROUTE):
        route = api.get(kind.plural, "digits")
        for parent in route["status"]["parents"]:
            for condition in parent["conditions"]:
                condition["observedGeneration"] = route["metadata"]["generation"]


def weights(api: ApiServer) -> dict[str, int]:
    annotations = api.get(HTTP_ROUTE.plural, "digits")["metadata"]["annotations"]
    return dict(json.loads(annotations[names.ROUTES_ANNOTATION])["routes"]["weights"])


async def diff(handler: TrafficSwitchHandler, new: TrafficSwitchInputs) -> Diff:
    """Against a state in which ONE is live and TWO stands by."""
    return await handler.diff(
        "digits", TrafficSwitchOutputs(live_revision=ONE), inputs(ONE, TWO), new
    )


async def update(
    handler: TrafficSwitchHandler, new: TrafficSwitchInputs, said: Said | None = None
) -> None:
    outputs = TrafficSwitchOutputs(live_revision=ONE)
    operation = (said or Said()).operation
    await handler.update(operation, "digits", outputs, inputs(ONE, TWO), new)


async def refused(handler: TrafficSwitchHandler, new: TrafficSwitchInputs) -> str:
    with pytest.raises(ProviderError) as raised:
        await update(handler, new)
    return str(raised.value)


async def test_the_first_deployment_is_a_job_from_no_routes(
    api: ApiServer, runners: Runners, handler: TrafficSwitchHandler
) -> None:
    (request,) = runners.switches
    assert request.routes_before is None
    assert [each.kind for each in request.stages] == ["final"]
    assert weights(api) == {ONE: 100, TWO: 0}
    assert await handler.read("digits", None) == TrafficSwitchOutputs(
        live_revision=ONE, weights={ONE: 100, TWO: 0}
    )
    assert await diff(handler, inputs(ONE, TWO)) == Diff()


async def test_a_canary_goes_through_its_stages_and_a_rollback_does_not(
    api: ApiServer, runners: Runners, handler: TrafficSwitchHandler
) -> None:
    said = Said()
    await update(handler, inputs(TWO, ONE, strategy=CANARY), said)
    await update(handler, inputs(ONE, TWO, strategy=CANARY))

    _, forward, back = runners.switches
    assert (forward.from_revision, forward.to_revision) == (ONE, TWO)
    assert [each.kind for each in forward.stages] == ["shift", "final"]
    assert [each.kind for each in back.stages] == ["final"]
    assert "the runner ends with advanced" in said.info
    assert weights(api) == {ONE: 100, TWO: 0}


async def test_a_revision_shown_to_be_worse_is_refused_until_a_reason_is_given(
    runners: Runners, handler: TrafficSwitchHandler
) -> None:
    runners.endings, runners.was_shown = [Ending.TURNED_BACK], True
    canary = inputs(TWO, ONE, strategy=CANARY)

    first = await refused(handler, canary)
    second = await refused(handler, canary)

    assert f"{ONE} takes all traffic of digits again" in first
    assert second == first
    assert len(runners.switches) == 2
    await update(handler, canary.model_copy(update={"retry": "a node was lost"}))
    assert len(runners.switches) == 3


async def test_a_route_edited_by_hand_is_a_difference_that_is_told_and_mended(
    api: ApiServer, runners: Runners, handler: TrafficSwitchHandler
) -> None:
    rules = api.get(HTTP_ROUTE.plural, "digits")["spec"]["rules"]
    for rule in rules:
        for backend in rule.get("backendRefs", []):
            backend["weight"] = 50

    found = await diff(handler, inputs(ONE, TWO))

    assert found.changed == ("condition", "liveRevision")
    assert any("HTTPRoute digits was edited" in each for each in found.notes)
    state = await handler.read("digits", None)
    assert state is not None
    assert "edited" in state.condition
    await update(handler, inputs(ONE, TWO))
    assert await diff(handler, inputs(ONE, TWO)) == Diff()


@pytest.mark.parametrize("kind", [HTTP_ROUTE, GRPC_ROUTE, BACKEND_TRAFFIC_POLICY])
async def test_a_deleted_route_is_a_difference_that_is_told_and_mended(
    api: ApiServer, handler: TrafficSwitchHandler, kind: Any
) -> None:
    del api.objects[kind.plural, "team-a", "digits"]

    found = await diff(handler, inputs(ONE, TWO))

    assert "liveRevision" in found.changed
    assert found.notes
    await update(handler, inputs(ONE, TWO))
    assert await diff(handler, inputs(ONE, TWO)) == Diff()


async def test_no_traffic_without_a_passed_gate(
    access: ClusterAccess, runners: Runners, handler: TrafficSwitchHandler
) -> None:
    await GateRecords(access.cluster()).remove(TWO)

    assert "its gate has not passed here" in await refused(handler, inputs(TWO, ONE))
    assert len(runners.switches) == 1


async def test_a_run_that_a_killed_update_left_is_taken_up(
    runners: Runners, handler: TrafficSwitchHandler
) -> None:
    runners.endings = [None]
    canary = inputs(TWO, ONE, strategy=CANARY)
    killed = asyncio.create_task(update(handler, canary))
    await until(lambda: len(runners.switches) == 2)
    killed.cancel()
    found = await diff(handler, canary)
    assert "liveRevision" in found.changed
    assert f"a switch to {TWO} is under way" in found.notes[0]
    said = Said()

    again = asyncio.create_task(update(handler, canary, said))
    await until(lambda: said.info)
    runners.end_running(Ending.ADVANCED)
    await again

    assert "is under way; following it" in said.info[0]
    assert len(runners.switches) == 2


async def test_a_run_towards_what_is_not_declared_any_more_is_taken_back(
    api: ApiServer, runners: Runners, handler: TrafficSwitchHandler
) -> None:
    runners.endings = [None]
    killed = asyncio.create_task(update(handler, inputs(TWO, ONE, strategy=CANARY)))
    await until(lambda: len(runners.switches) == 2)
    killed.cancel()
    said = Said()

    await update(handler, inputs(ONE, TWO), said)

    assert "was under way and is not declared any more" in said.info[0]
    assert weights(api) == {ONE: 100, TWO: 0}


async def test_a_switch_that_ended_while_nobody_looked_is_not_done_again(
    api: ApiServer, runners: Runners, handler: TrafficSwitchHandler
) -> None:
    await update(handler, inputs(TWO, ONE))
    settle(api)
    said = Said()

    await update(handler, inputs(TWO, ONE), said)  # the engine had not written it down

    assert said.info == [f"all traffic of digits goes to {TWO}"]
    assert len(runners.switches) == 2


@pytest.mark.parametrize("fails", [[], [httpx2.ConnectError("connection refused")]])
async def test_a_job_that_has_gone_is_made_again_and_goes_on(
    api: ApiServer,
    runners: Runners,
    handler: TrafficSwitchHandler,
    fails: list[httpx2.ConnectError],
) -> None:
    """Also when the API server is silent as it is to be made."""
    left = list(fails)

    def fail(plural: str, _name: str) -> None:
        if plural == JOB.plural and left:
            raise left.pop()

    runners.endings = [None, Ending.ADVANCED]
    moving = asyncio.create_task(update(handler, inputs(TWO, ONE)))
    await until(lambda: len(runners.switches) == 2)
    (lost,) = [each for each in runners.jobs() if each.endswith("-002")]

    api.before_write = fail
    runners.remove_job(lost)
    await moving

    assert f"{lost}-r1" in runners.jobs()
    assert runners.switches[1] == runners.switches[2], "the same run goes on"


async def test_cancelling_turns_the_traffic_back(
    api: ApiServer, runners: Runners, handler: TrafficSwitchHandler
) -> None:
    runners.endings = [None]
    said = Said()
    moving = asyncio.create_task(update(handler, inputs(TWO, ONE, strategy=CANARY), said))
    await until(lambda: len(runners.switches) == 2)

    said.operation.cancelled.set()

    with pytest.raises(CancelledOperation, match=f"{ONE} has all of the traffic again"):
        await moving
    assert weights(api) == {ONE: 100, TWO: 0}


def no_nodes(api: ApiServer, runners: Runners) -> None:
    runners.has_nodes = False


def no_jobs(api: ApiServer, runners: Runners) -> None:
    api.used_up = {JOB.plural}


@pytest.mark.parametrize("hinder", [no_nodes, no_jobs])
async def test_a_switch_that_never_began_is_ended_without_a_conductor(
    access: ClusterAccess,
    api: ApiServer,
    runners: Runners,
    handler: TrafficSwitchHandler,
    hinder: Callable[[ApiServer, Runners], None],
) -> None:
    hinder(api, runners)
    said = Said()
    moving = asyncio.create_task(update(handler, inputs(TWO, ONE), said))
    await until(lambda: said.status or moving.done())
    moving.cancel()

    await update(handler, inputs(ONE, TWO), said)

    assert f"{ONE} has all of the traffic again" in said.info[0]
    latest = await SwitchRecords(access.cluster()).latest("digits")
    assert latest is not None and latest.outcome is not None
    assert latest.outcome.ending is Ending.CANCELLED
    assert latest.outcome.reason.startswith("cancelled before it began")
    assert weights(api) == {ONE: 100, TWO: 0}
    assert len(runners.jobs()) == len(runners.switches) == 1


async def test_cancelling_ends_what_has_not_begun_and_says_what_it_waited_for(
    access: ClusterAccess, api: ApiServer, runners: Runners, handler: TrafficSwitchHandler
) -> None:
    runners.has_nodes = False
    said = Said()
    moving = asyncio.create_task(update(handler, inputs(TWO, ONE), said))
    await until(lambda: said.status)

    said.operation.cancelled.set()

    with pytest.raises(CancelledOperation, match=f"{ONE} has all of the traffic again"):
        await moving
    latest = await SwitchRecords(access.cluster()).latest("digits")
    assert latest is not None and latest.outcome is not None
    assert "2 Insufficient cpu" in latest.outcome.reason


async def test_a_pod_that_begins_while_its_switch_is_ended_is_not_taken_for_one_that_did_not(
    api: ApiServer, runners: Runners, handler: TrafficSwitchHandler
) -> None:
    runners.has_nodes = False
    said = Said()
    moving = asyncio.create_task(update(handler, inputs(TWO, ONE), said))
    await until(lambda: said.status)
    moving.cancel()
    written = api.controller

    def begin_late(plural: str, stored: Any) -> None:
        written(plural, stored)
        holder = (stored.get("spec") or {}).get("holderIdentity")
        if holder == switch_runs.NOBODY and not runners.has_nodes:
            runners.move_without_end(stored["metadata"]["name"])
            runners.has_nodes, runners.endings = True, [Ending.CANCELLED]

    api.controller = begin_late
    await update(handler, inputs(ONE, TWO))

    assert any(each.endswith("-002-r1") for each in runners.jobs())
    assert weights(api) == {ONE: 100, TWO: 0}


@pytest.fixture
async def moved_and_lost(
    api: ApiServer, runners: Runners, handler: TrafficSwitchHandler
) -> TrafficSwitchHandler:
    """A switch has moved traffic, its Job has gone, and no other finds a node."""
    runners.endings = [None]
    moving = asyncio.create_task(update(handler, inputs(TWO, ONE, strategy=CANARY)))
    await until(lambda: len(runners.switches) == 2)
    moving.cancel()
    (run,) = [each for each in api.names(LEASE.plural) if each.endswith("002")]
    runners.move_without_end(run)
    runners.has_nodes = False
    for job in [each for each in runners.jobs() if each.endswith("-002")]:
        await api.cluster().delete(JOB, job)
    return handler


async def test_what_keeps_traffic_from_being_turned_back_is_named(
    monkeypatch: pytest.MonkeyPatch, moved_and_lost: TrafficSwitchHandler
) -> None:
    monkeypatch.setattr(switch_runs, "CANCEL_SECONDS", 0.1)

    said = await refused(moved_and_lost, inputs(ONE, TWO))

    assert "the conductor did not turn back within 0.3 s: Pod switch-" in said
    assert "2 Insufficient cpu. The traffic stays where it is until" in said


async def test_a_deletion_needs_no_conductor(
    api: ApiServer, runners: Runners, moved_and_lost: TrafficSwitchHandler
) -> None:
    outputs = TrafficSwitchOutputs(live_revision=ONE)

    await moved_and_lost.delete(Said().operation, "digits", outputs)

    left = [kind for kind in (HTTP_ROUTE, JOB, LEASE) if api.names(kind.plural)]
    assert left == []


async def test_an_override_is_refused_at_preview_and_cleared_by_what_follows_it(
    access: ClusterAccess, handler: TrafficSwitchHandler
) -> None:
    records = SwitchRecords(access.cluster())
    await records.write_override(OVERRIDE)

    (failure,) = await handler.check(inputs(TWO, ONE))
    assert isinstance(failure, CheckFailure)
    assert failure.property == "revision"
    assert f"ann moved the traffic of digits to {ONE}" in failure.reason
    assert "ann moved the traffic" in await refused(handler, inputs(TWO, ONE))

    assert await handler.check(inputs(ONE, TWO)) == []
    assert (await diff(handler, inputs(ONE, TWO))).changed == ("revision",)
    await update(handler, inputs(ONE, TWO))
    assert await records.override("digits") is None


async def test_a_share_that_nobody_looks_after_is_taken_back_first(
    api: ApiServer, runners: Runners, handler: TrafficSwitchHandler
) -> None:
    runners.route(replace(inputs(ONE, TWO).routes(), weights={ONE: 75, TWO: 25}))

    await update(handler, inputs(TWO, ONE, strategy=CANARY))

    _, clean, canary = runners.switches
    assert clean.stages[-1].routes.weights == {ONE: 100}
    assert canary.routes_before is not None
    assert canary.routes_before.weights == {ONE: 100}
    assert [each.kind for each in canary.stages] == ["shift", "final"]


async def test_what_an_interrupted_update_left_is_told_and_removed(
    access: ClusterAccess, api: ApiServer, handler: TrafficSwitchHandler
) -> None:
    stray, gated = "digits-3-cccccccc", "digits-4-dddddddd"
    for revision in (TWO, stray):
        labels = names.labels("digits", revision)
        for kind in (SERVICE, DEPLOYMENT, CONFIG_MAP):
            api.put(kind.plural, {"metadata": {"name": revision, "labels": labels}})
    for revision in (stray, gated):
        await GateRecords(access.cluster()).ensure("digits", revision)

    found = await diff(handler, inputs(ONE, TWO))
    assert found.changed == ("condition",)
    assert [each.split()[0] for each in found.notes] == [stray, gated]
    said = Said()
    await update(handler, inputs(ONE, TWO), said)

    assert f"removed {stray}: no stack declares it, no route mentions it" in said.info
    assert api.names(DEPLOYMENT.plural) == api.names(SERVICE.plural) == [TWO]
    left = api.names(CONFIG_MAP.plural)
    assert not [each for each in left if stray in each or gated in each]
    assert await diff(handler, inputs(ONE, TWO)) == Diff()


async def test_a_revision_that_the_engine_is_about_to_remove_is_left_to_it(
    api: ApiServer, handler: TrafficSwitchHandler
) -> None:
    for kind in (SERVICE, DEPLOYMENT):
        api.put(kind.plural, {"metadata": {"name": TWO, "labels": names.labels("digits", TWO)}})

    await update(handler, inputs(ONE))  # the standby goes: its hold is deleted after the switch

    assert api.names(DEPLOYMENT.plural) == [TWO]


async def test_a_slot_is_found_by_its_first_object_and_until_its_last_has_gone(
    api: ApiServer, handler: TrafficSwitchHandler
) -> None:
    stray = "digits-3-cccccccc"
    labels = names.labels("digits", stray)
    api.put(SERVICE.plural, {"metadata": {"name": stray, "labels": labels}})
    found = await diff(handler, inputs(ONE, TWO))
    api.put(DEPLOYMENT.plural, {"metadata": {"name": stray, "labels": labels}})
    await update(handler, inputs(ONE, TWO))

    assert [each.split()[0] for each in found.notes] == [stray]
    deleted = [name for method, name in api.requests if method == "DELETE"]
    assert f"{DEPLOYMENT.plural}/{stray}" in deleted
    assert deleted[-1] == f"{SERVICE.plural}/{stray}"


async def test_a_drain_of_what_is_declared_again_is_ended_first(
    access: ClusterAccess, api: ApiServer, handler: TrafficSwitchHandler
) -> None:
    drain = DrainRequest(service="digits", revision=TWO, drain_seconds=30, gateway=GATEWAY)
    await DrainRecords(access.cluster()).submit(drain)

    await update(handler, inputs(TWO, ONE))

    assert f"drain.{TWO}" not in (*api.names(CONFIG_MAP.plural), *api.names(LEASE.plural))


async def test_deletion_withdraws_the_routes_and_leaves_no_object(
    api: ApiServer, access: ClusterAccess, handler: TrafficSwitchHandler
) -> None:
    """Nor the record of a gate that has refused: no state has that."""
    await GateRecords(access.cluster()).ensure("digits", "digits-9-refused")
    await handler.delete(Said().operation, "digits", TrafficSwitchOutputs(live_revision=ONE))

    left = [kind for kind in (HTTP_ROUTE, GRPC_ROUTE, JOB, LEASE) if api.names(kind.plural)]
    assert left == []
    records = ("switch.", "gate.")
    assert not [each for each in api.names(CONFIG_MAP.plural) if each.startswith(records)]
    assert await handler.read("digits", None) is None


async def test_without_the_kinds_of_routes_it_is_gone_and_can_be_deleted(
    api: ApiServer, handler: TrafficSwitchHandler
) -> None:
    api.unknown_plurals = {kind.plural for kind in OWNED}

    assert await handler.read("digits", inputs(ONE, TWO)) is None
    await handler.delete(Said().operation, "digits", TrafficSwitchOutputs(live_revision=ONE))

    assert not [each for each in api.names(CONFIG_MAP.plural) if each.startswith("switch.")]


async def test_without_the_kinds_of_routes_nothing_moves_and_no_job_tries(
    api: ApiServer, runners: Runners, handler: TrafficSwitchHandler
) -> None:
    asked = len(runners.switches)
    api.unknown_plurals = {kind.plural for kind in OWNED}

    assert (await diff(handler, inputs(ONE, TWO))).changed == ("liveRevision",)
    assert "does not know the kind HTTPRoute" in await refused(handler, inputs(TWO, ONE))

    assert len(runners.switches) == asked
