"""Slots that no user reaches lose their pods: to make room, or because the standby is cold."""

import asyncio
from typing import Any

import pytest

from tests.unit.cluster.api_server import ApiServer
from tests.unit.provider.kubernetes.runners import GATEWAY, Runners, until
from tests.unit.provider.stand_ins import Said
from tidegate.cluster import names
from tidegate.cluster.kinds import DEPLOYMENT, ENDPOINT_SLICE, HTTP_ROUTE, JOB, POD
from tidegate.provider.errors import ProviderError
from tidegate.provider.handler import Diff
from tidegate.provider.kubernetes import ColdStandbyHandler, SlotRoomHandler, scaling_down
from tidegate.provider.kubernetes.access import ClusterAccess
from tidegate.provider.kubernetes.cold_standby import ColdStandbyInputs, ColdStandbyOutputs
from tidegate.provider.kubernetes.slot_room import SlotRoomInputs, SlotRoomOutputs
from tidegate.records.switches import SwitchRecords
from tidegate.spec.traffic import SwitchStrategy
from tidegate.traffic.plan import Stage
from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.switch_history import SwitchPlan

pytestmark = pytest.mark.unit

ONE, TWO, THREE = "digits-1-aaaaaaaa", "digits-2-bbbbbbbb", "digits-3-cccccccc"


@pytest.fixture
def room(access: ClusterAccess, monkeypatch: pytest.MonkeyPatch) -> SlotRoomHandler:
    monkeypatch.setattr(scaling_down, "POLL_SECONDS", 0.01)
    return SlotRoomHandler(access)


@pytest.fixture
def standby(access: ClusterAccess) -> ColdStandbyHandler:
    return ColdStandbyHandler(access)


def declared(*revisions: str) -> SlotRoomInputs:
    return SlotRoomInputs(service="digits", revisions=list(revisions), drain_seconds=1)


def cold(revision: str) -> ColdStandbyInputs:
    return ColdStandbyInputs(service="digits", revision=revision, drain_seconds=1)


def routes(**weights: int) -> ServiceRoutes:
    named = {"one": ONE, "two": TWO, "three": THREE}
    given = {named[each]: weight for each, weight in weights.items()}
    return ServiceRoutes("digits", ("digits",), given, 30, hostnames=("a.example",))


def slot(api: ApiServer, revision: str, replicas: int = 1) -> None:
    meta = {"name": revision, "labels": names.labels("digits", revision)}
    api.put(DEPLOYMENT.plural, {"metadata": meta, "spec": {"replicas": replicas}})


def pod(api: ApiServer, revision: str, name: str, **spec: Any) -> None:
    meta = {"name": name, "labels": names.labels("digits", revision)}
    api.put(POD.plural, {"metadata": meta, "spec": spec, "status": {"phase": "Running"}})


def replicas(api: ApiServer, revision: str) -> int:
    return int(api.get(DEPLOYMENT.plural, revision)["spec"]["replicas"])


# -- room --------------------------------------------------------------------------------------


async def test_the_retired_standby_goes_to_zero_and_its_pods_are_waited_for(
    api: ApiServer, runners: Runners, room: SlotRoomHandler
) -> None:
    runners.route(routes(two=100, one=0))
    for revision in (ONE, TWO):
        slot(api, revision)
        pod(api, revision, f"{revision}-pod")
    said = Said()

    making = asyncio.create_task(room.create(said.operation, declared(THREE, TWO)))
    await until(lambda: f"waiting for the end of {ONE}-pod" in said.status)
    assert (replicas(api, ONE), replicas(api, TWO)) == (0, 1)
    assert not making.done()
    del api.objects[POD.plural, "team-a", f"{ONE}-pod"]

    assert (await making).outputs == SlotRoomOutputs()
    (warning,) = said.warnings
    assert warning.startswith(f"{ONE} has zero replicas now, to make room")
    assert "should this update fail, declare it again" in warning


async def test_a_preview_says_what_will_go(
    api: ApiServer, runners: Runners, room: SlotRoomHandler
) -> None:
    runners.route(routes(two=100, one=0))
    slot(api, ONE)
    slot(api, TWO)
    sentence = f"{ONE} is declared no more and goes to zero replicas before new pods start"

    (first,) = await room.foresee(declared(THREE, TWO))
    later = await room.diff("digits", SlotRoomOutputs(), declared(TWO, ONE), declared(THREE, TWO))

    assert first.startswith(sentence)
    assert later.changed == ("condition", "revisions")
    assert later.notes[0].startswith(sentence)


async def test_what_a_killed_update_left_is_seen_and_what_is_at_zero_is_told(
    api: ApiServer, runners: Runners, room: SlotRoomHandler
) -> None:
    runners.route(routes(two=100, one=0))
    for revision in (ONE, TWO):
        slot(api, revision)
    same = declared(TWO, ONE)
    assert await room.diff("digits", SlotRoomOutputs(), same, same) == Diff()

    slot(api, THREE)
    assert (await room.diff("digits", SlotRoomOutputs(), same, same)).changed == ("condition",)
    assert await room.read("digits", same) == SlotRoomOutputs(condition=f"not made: {THREE}")
    slot(api, THREE, replicas=0)
    at_zero = await room.diff("digits", SlotRoomOutputs(), same, same)

    assert at_zero.changed == ()
    assert f"{THREE} is declared no more and has zero replicas" in at_zero.notes[0]


async def test_room_that_a_refused_revision_makes_is_no_loss(
    api: ApiServer, runners: Runners, room: SlotRoomHandler
) -> None:
    runners.route(routes(two=100, one=0))
    slot(api, THREE)
    said = Said()

    await room.create(said.operation, declared(TWO, ONE))

    assert said.warnings == []
    assert said.info == [f"{THREE} has zero replicas now, to make room"]


@pytest.mark.parametrize("weight", [100, 1])
async def test_a_revision_with_traffic_keeps_its_pods(
    api: ApiServer, runners: Runners, room: SlotRoomHandler, weight: int
) -> None:
    runners.route(routes(one=weight, two=100 - weight))
    slot(api, ONE)
    said = Said()

    await room.create(said.operation, declared(THREE, TWO))
    same = declared(THREE, TWO)

    assert replicas(api, ONE) == 1
    assert f"{ONE} is declared no more and makes no room: it takes {weight}%" in said.warnings[0]
    assert (await room.diff("digits", SlotRoomOutputs(), same, same)).changed == ()


async def test_a_revision_that_a_running_switch_moves_to_keeps_its_pods(
    api: ApiServer, runners: Runners, access: ClusterAccess, room: SlotRoomHandler
) -> None:
    """Nobody may have written its weight yet."""
    await _begin_a_switch(access, routes(two=100, one=0), routes(one=100, two=0))
    runners.route(routes(two=100, one=0))
    slot(api, ONE)
    job = names.switch_job("digits", 1)
    api.controller = lambda plural, written: None
    api.put(JOB.plural, {"metadata": {"name": job, "labels": {}}})
    said = Said()

    await room.create(said.operation, declared(THREE, TWO))
    assert replicas(api, ONE) == 1
    assert f"makes no room: a switch to {ONE} is under way" in said.warnings[0]

    # Without its Job nobody carries the switch out.
    del api.objects[JOB.plural, "team-a", job]
    await room.create(Said().operation, declared(THREE, TWO))
    assert replicas(api, ONE) == 0


async def test_nothing_is_scaled_while_nobody_knows_where_users_get(
    api: ApiServer, runners: Runners, room: SlotRoomHandler
) -> None:
    runners.route(routes(two=100, one=0))
    slot(api, ONE)
    api.get(HTTP_ROUTE.plural, "digits")["spec"]["rules"] = []
    said = Said()

    await room.create(said.operation, declared(THREE, TWO))

    assert replicas(api, ONE) == 1
    assert "nobody knows where users get: HTTPRoute digits was edited" in said.warnings[0]


async def test_pods_that_do_not_end_hold_the_update_up_no_longer_than_their_grace(
    api: ApiServer, runners: Runners, room: SlotRoomHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaling_down, "EXTRA_SECONDS", 0.05)
    runners.route(routes(two=100, one=0))
    slot(api, ONE)
    pod(api, ONE, "stuck", terminationGracePeriodSeconds=0)
    said = Said()

    await room.create(said.operation, declared(THREE, TWO))

    assert "new ones wait for their place: stuck" in said.warnings[0]


async def test_requests_in_flight_end_first(
    api: ApiServer, runners: Runners, room: SlotRoomHandler
) -> None:
    runners.route(routes(two=100, one=0))
    slot(api, ONE)
    meta = {"name": f"{ONE}-x", "labels": {"kubernetes.io/service-name": ONE}}
    api.put(ENDPOINT_SLICE.plural, {"metadata": meta, "endpoints": [{"addresses": ["10.0.0.1"]}]})

    await room.create(Said().operation, declared(THREE, TWO))

    assert runners.drains == [ONE]
    assert replicas(api, ONE) == 0


# -- a cold standby ----------------------------------------------------------------------------


async def test_a_cold_standby_goes_to_zero_and_stays_there(
    api: ApiServer, runners: Runners, standby: ColdStandbyHandler
) -> None:
    runners.route(routes(two=100, one=0))
    for revision in (ONE, TWO):
        slot(api, revision)
    said = Said()
    assert (
        "goes to zero replicas once the traffic is elsewhere"
        in (await standby.foresee(cold(ONE)))[0]
    )

    created = await standby.create(said.operation, cold(ONE))

    assert (created.id, replicas(api, ONE), replicas(api, TWO)) == ("digits", 0, 1)
    assert f"{ONE} stands by with zero replicas" in said.info
    assert await standby.diff("digits", created.outputs, cold(ONE), cold(ONE)) == Diff()
    assert await standby.read("digits", cold(ONE)) == created.outputs


async def test_pods_that_somebody_started_are_a_difference(
    api: ApiServer, standby: ColdStandbyHandler
) -> None:
    slot(api, ONE, replicas=2)

    found = await standby.diff("digits", ColdStandbyOutputs(), cold(ONE), cold(ONE))

    assert found.changed == ("condition",)
    assert await standby.read("digits", cold(ONE)) == ColdStandbyOutputs(condition="2 replicas")


async def test_another_standby_takes_its_place(api: ApiServer, standby: ColdStandbyHandler) -> None:
    slot(api, ONE, replicas=0)

    found = await standby.diff("digits", ColdStandbyOutputs(), cold(TWO), cold(ONE))

    assert found.changed == ("revision",)


async def test_a_standby_that_users_reach_is_refused(
    api: ApiServer, runners: Runners, standby: ColdStandbyHandler
) -> None:
    """Somebody has moved the traffic by hand."""
    runners.route(routes(one=100, two=0))
    slot(api, ONE)

    with pytest.raises(ProviderError, match=f"{ONE} keeps its pods: it takes 100%"):
        await standby.create(Said().operation, cold(ONE))
    assert replicas(api, ONE) == 1


async def _begin_a_switch(
    access: ClusterAccess, before: ServiceRoutes, after: ServiceRoutes
) -> None:
    plan = SwitchPlan(
        routes_before=before,
        stages=(Stage("final", after, 0.0, 0.0),),
        strategy=SwitchStrategy(),
        from_revision=TWO,
        to_revision=ONE,
        drain_seconds=1,
        retry_reason=None,
    )
    await SwitchRecords(access.cluster()).submit("digits", plan, GATEWAY, "somebody")
