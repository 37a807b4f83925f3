"""What is asked of which Envoys, and what a silent one holds up."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from tests.unit.cluster.api_server import ApiServer
from tests.unit.runner.waiting import LIMIT_SECONDS, until
from tests.unit.traffic.conducting import BEFORE, NEW, OLD, TARGET
from tests.unit.traffic.gateway_api.envoys_at_work import REFERENCE, Envoys
from tidegate.traffic.gateway_api import route_writer, silences
from tidegate.traffic.gateway_api.envoys import find_envoys, find_running_envoys
from tidegate.traffic.gateway_api.route_writer import until_none
from tidegate.traffic.gateway_api.silences import SilentEnvoyError, Told
from tidegate.traffic.router import NoDataPlaneError, RouterError

pytestmark = pytest.mark.unit


@pytest.fixture
def api() -> ApiServer:
    return ApiServer()


@pytest.fixture
def envoys(api: ApiServer) -> Envoys:
    return Envoys(api)


async def test_only_envoys_own_container_tells_a_restart_and_its_age(
    api: ApiServer, envoys: Envoys
) -> None:
    envoys.add(1, restarts=2)

    (found,) = await find_envoys(api.cluster(), REFERENCE)

    assert found.uid.endswith("/2")
    assert found.started_at == datetime(2026, 11, 23, 9, tzinfo=UTC)


async def test_what_has_not_begun_or_has_ended_does_not_run(api: ApiServer, envoys: Envoys) -> None:
    envoys.add(1, phase="Failed")
    envoys.add(2, is_ready=False, state={"waiting": {"reason": "CrashLoopBackOff"}})
    envoys.add(3, is_terminating=True, state={"terminated": {"exitCode": 0}})

    with pytest.raises(NoDataPlaneError, match="no Envoy of Gateway edge/tidegate runs"):
        await find_running_envoys(api.cluster(), REFERENCE)


# -- requests in flight -----------------------------------------------------------------------


async def test_requests_in_flight_are_counted_wherever_envoy_runs(
    envoys: Envoys, monkeypatch: pytest.MonkeyPatch
) -> None:
    envoys.count(envoys.add(1), OLD, active=1)
    envoys.count(envoys.add(2, is_ready=False), OLD, active=2)
    envoys.count(envoys.add(3, is_terminating=True), OLD, active=4)
    router = envoys.router(monkeypatch)

    assert await router.open_requests(OLD) == {"http": 7}
    assert await router.active_requests(OLD) == 7


async def test_only_an_envoy_that_ends_may_be_silent_about_them(
    envoys: Envoys, monkeypatch: pytest.MonkeyPatch
) -> None:
    envoys.count(envoys.add(1), OLD, active=1)
    envoys.silent = {envoys.add(2, is_terminating=True)}
    router = envoys.router(monkeypatch)
    assert await router.active_requests(OLD) == 1

    envoys.silent |= {envoys.add(3, is_ready=False)}
    router = envoys.router(monkeypatch)
    with pytest.raises(RouterError, match=r"envoy-3 at 10\.0\.9\.3 does not answer: timed out"):
        await router.active_requests(OLD)


async def test_without_a_ready_envoy_requests_may_be_in_flight_all_the_same(
    envoys: Envoys, monkeypatch: pytest.MonkeyPatch
) -> None:
    envoys.count(envoys.add(1, is_terminating=True), OLD, active=3)
    envoys.serve(OLD)
    router = envoys.router(monkeypatch)

    assert await router.active_requests(OLD) == 3
    with pytest.raises(RouterError, match="no Envoy of Gateway edge/tidegate is ready"):
        await router.is_healthy(OLD)


# -- one that is silent -----------------------------------------------------------------------


@pytest.mark.parametrize("healthy", [0, 1])
async def test_health_is_decided_by_the_envoys_that_answer(
    envoys: Envoys, monkeypatch: pytest.MonkeyPatch, healthy: int
) -> None:
    answering = envoys.add(1)
    envoys.count(answering, OLD, healthy=healthy)
    envoys.silent = {envoys.add(2)}
    envoys.serve(OLD)
    router = envoys.router(monkeypatch)

    assert await router.is_healthy(OLD) is (healthy > 0)

    envoys.silent |= {answering}
    with pytest.raises(RouterError, match="does not answer"):
        await router.is_healthy(OLD)


async def test_what_a_silent_envoy_has_counted_comes_when_it_answers(
    envoys: Envoys, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = envoys.add(1), envoys.add(2)
    envoys.count(one, OLD, completed=10)
    envoys.count(two, OLD, completed=100)
    router = envoys.router(monkeypatch)
    assert (await router.user_counters(OLD)).requests == 110

    envoys.silent = {two}
    envoys.count(one, OLD, completed=11)
    assert (await router.user_counters(OLD)).requests == 111

    envoys.silent.clear()
    envoys.count(two, OLD, completed=105)
    assert (await router.user_counters(OLD)).requests == 116


async def test_an_envoy_that_let_one_wait_is_not_asked_again_at_once(
    envoys: Envoys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silences, "SLOW_SECONDS", 0.0)
    envoys.add(1)
    lost = envoys.add(2)
    envoys.silent = {lost}
    router = envoys.router(monkeypatch)

    for _ in range(3):
        await router.user_counters(OLD)

    assert envoys.asked.count(lost) == 1
    # Whoever has to know of every one asks all the same.
    with pytest.raises(RouterError):
        await router.active_requests(OLD)


async def test_routes_are_watched_on_the_envoys_that_answer(
    envoys: Envoys, monkeypatch: pytest.MonkeyPatch
) -> None:
    envoys.add(1)
    router = envoys.router(monkeypatch)
    await router.apply(BEFORE)

    envoys.silent = {envoys.add(2)}
    monkeypatch.setattr(router._data_plane, "_envoys", None)

    assert await router.observe("digits") == BEFORE


async def test_traffic_moves_before_a_silent_envoy_is_waited_for(
    envoys: Envoys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its node is lost, and the API server calls it ready until it has noticed."""
    monkeypatch.setattr(route_writer, "PASSED_OVER_SECONDS", 0.2)
    monkeypatch.setattr(route_writer, "CONFIRMATION_SECONDS", 0.5)
    envoys.add(1)
    router = envoys.router(monkeypatch)
    await router.apply(BEFORE)
    envoys.silent = {envoys.add(2)}
    monkeypatch.setattr(router._data_plane, "_envoys", None)

    moving = asyncio.create_task(router.apply(TARGET, replacing=BEFORE))

    async def has_moved() -> bool:
        recorded = await router._writer.read("digits")
        return recorded is not None and recorded.routes == TARGET

    await until(has_moved)
    await asyncio.sleep(0.7)
    assert not moving.done(), "it is not in force everywhere"
    envoys.remove(2)
    async with asyncio.timeout(LIMIT_SECONDS):
        await moving
    assert await router.observe("digits") == TARGET
    assert NEW in TARGET.weights


async def test_a_silence_is_waited_out_longer_than_another_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(route_writer, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(route_writer, "asyncio", SimpleNamespace(sleep=sleep))
    silent = SilentEnvoyError("envoy-2 does not answer", 100.0)

    async def seconds(told: Told, *, passes_over_silent: bool = False) -> float:
        async def ask() -> Told:
            return told

        began = now
        with pytest.raises(RouterError, match=r"written, and after \d+ s: envoy"):
            await until_none(ask, "written", 20, passes_over_silent=passes_over_silent)
        return now - began

    def after(limit: float) -> object:
        return pytest.approx(limit, abs=2 * route_writer.POLL_SECONDS)

    assert await seconds(Told(["envoy-1 serves no routes"])) == after(20)
    assert await seconds(Told(silent=[silent])) == after(route_writer.LOST_NODE_SECONDS)
    told = Told(["envoy-1 serves no routes"], [silent])
    assert await seconds(told, passes_over_silent=True) == after(20)
