"""The gateway's routes on a real Envoy; only the servers behind it are small ones."""

import asyncio
import contextlib
import json
from dataclasses import replace

import grpc
import httpx
import pytest

from tests.engine.harness.gateway import counted_requests
from tests.engine.harness.gateway_stage import (
    EVENTS,
    INFER,
    MOVED,
    ONE,
    ROUTES,
    TWO,
    Stage,
    refused,
)
from tests.engine.harness.upstream import DO, SLOW_SECONDS
from tests.engine.harness.waiting import wait_for_async
from tidegate.traffic.router import RouterError, RoutesChangedError
from tidegate.traffic.routes import REVISION_HEADER

pytestmark = pytest.mark.engine

# -- what users meet ------------------------------------------------------------------------------


async def test_users_are_counted_with_their_errors_and_times(stage: Stage) -> None:
    for do in ("", "", "slow", "fail"):
        await stage.get(x_do=do)
        with contextlib.suppress(grpc.aio.AioRpcError):
            await stage.call(x_do=do)
    with contextlib.suppress(httpx.HTTPError):
        await stage.get(x_do="break")
    await stage.get("/v2/models/other/infer")

    counters = await counted_requests(stage.gateway.router, ONE, 9, timed=6)

    assert (counters.requests, counters.errors, counters.retries) == (9, 3, 0)
    slow = [each for each in counters.latency if each.lower_seconds >= SLOW_SECONDS * 0.9]
    assert sum(each.count for each in slow) >= 2
    assert sum(each.count for each in counters.latency) == 6
    assert (await stage.gateway.router.user_counters(TWO)).requests == 0


async def test_probes_and_health_are_no_users(stage: Stage) -> None:
    await stage.get(x_tidegate_revision=ONE)
    await stage.call(x_tidegate_revision=ONE)
    assert (await stage.get("/healthz/digits")).headers[REVISION_HEADER] == ONE
    await stage.get()

    counters = await counted_requests(stage.gateway.router, ONE, 1, timed=1)
    assert counters.requests == 1


async def test_streams_count_as_requests_without_a_latency(stage: Stage) -> None:
    await stage.get(EVENTS)
    stream = stage.stream()
    await stream.write(b"first")
    await stream.done_writing()
    assert [message async for message in stream] == [b"digits-1-a first"]

    counters = await counted_requests(stage.gateway.router, ONE, 2)
    assert (counters.errors, counters.latency) == (0, ())


async def test_requests_of_a_share_without_a_healthy_server_are_its_errors(stage: Stage) -> None:
    await stage.gateway.router.apply(MOVED)
    await stage.two.stop()
    await stage.gateway.wait_until_healthy(TWO, healthy=False)

    assert (await stage.get()).status_code == 503
    assert (await refused(stage.call())).code() is grpc.StatusCode.UNAVAILABLE

    counters = await counted_requests(stage.gateway.router, TWO, 2)
    assert (counters.requests, counters.errors) == (2, 2)


async def test_a_caller_who_gives_up_has_met_no_error_but_a_long_wait(stage: Stage) -> None:
    await stage.open_connections()

    async def gives_up() -> None:
        with pytest.raises(httpx.ReadTimeout):
            await stage.http.get(INFER, headers={DO: "hang"}, timeout=3)

    late, _ = await asyncio.gather(refused(stage.call(seconds=3, x_do="hang")), gives_up())
    assert late.code() is grpc.StatusCode.DEADLINE_EXCEEDED

    counters = await counted_requests(stage.gateway.router, ONE, 2, timed=2)
    assert (counters.requests, counters.errors) == (2, 0)
    assert all(each.lower_seconds > 0.1 for each in counters.latency)
    assert sum(each.count for each in counters.latency) == 2


# -- requests that name their revision ------------------------------------------------------------


async def test_a_named_revision_answers_although_no_route_mentions_it(stage: Stage) -> None:
    await stage.gateway.router.apply(replace(ROUTES, weights={ONE: 100}))

    answer = await stage.get(x_tidegate_revision=TWO)

    assert (answer.text, answer.headers[REVISION_HEADER]) == (TWO, TWO)
    assert await stage.call(x_tidegate_revision=TWO) == (TWO, TWO)


async def test_a_named_revision_that_is_down_is_not_replaced_by_another(stage: Stage) -> None:
    await stage.two.stop()
    await stage.gateway.wait_until_healthy(TWO, healthy=False)

    assert (await stage.get(x_tidegate_revision=TWO)).status_code == 503
    error = await refused(stage.call(x_tidegate_revision=TWO))
    assert error.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_revision_that_is_not_here_is_answered_with_the_reason(stage: Stage) -> None:
    answer = await stage.get(x_tidegate_revision="digits-9-z")

    assert answer.status_code == 404
    assert answer.json()["revisions"] == [ONE, TWO]
    error = await refused(stage.call(x_tidegate_revision="digits-9-z"))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    assert json.loads(error.details() or "")["revisions"] == [ONE, TWO]


async def test_a_server_that_left_is_not_found_by_its_name(stage: Stage) -> None:
    await stage.gateway.router.apply(replace(ROUTES, weights={ONE: 100}))
    stage.gateway.files.remove_server(TWO)
    await stage.gateway.router.settle()

    assert (await stage.get(x_tidegate_revision=TWO)).status_code == 404
    assert (await stage.get()).text == ONE


# -- retries --------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"x-envoy-retry-on": "5xx", "x-envoy-max-retries": "3"}])
async def test_an_answer_is_never_repeated(stage: Stage, headers: dict[str, str]) -> None:
    await stage.gateway.router.apply(replace(ROUTES, retries=3))

    answer = await stage.http.get(INFER, headers={DO: "fail", **headers})

    assert answer.status_code == 500
    assert len(stage.one.asked) == 1


async def test_without_retries_a_server_that_is_away_is_an_error_at_once(stage: Stage) -> None:
    await slow_health_checks(stage)
    await stage.one.stop_http()

    assert (await stage.get()).status_code == 503
    assert (await stage.gateway.router.user_counters(ONE)).retries == 0


async def test_with_retries_a_server_that_is_away_for_a_moment_is_waited_for(stage: Stage) -> None:
    await slow_health_checks(stage)
    await stage.gateway.router.apply(replace(ROUTES, retries=100))
    await stage.one.stop_http()
    asking = asyncio.create_task(stage.get())

    async def was_repeated() -> bool:
        return (await stage.gateway.router.user_counters(ONE)).retries > 0

    await wait_for_async("a retry", was_repeated)
    await stage.one.start_http()

    assert (await asking).text == ONE
    assert len(stage.one.asked) == 1
    assert (await counted_requests(stage.gateway.router, ONE, 1)).errors == 0


async def test_a_named_revision_is_asked_once(stage: Stage) -> None:
    await slow_health_checks(stage)
    await stage.gateway.router.apply(replace(ROUTES, retries=100))
    await stage.one.stop_http()

    assert (await stage.get(x_tidegate_revision=ONE)).status_code == 503
    assert (await stage.gateway.router.user_counters(ONE)).retries == 0


async def slow_health_checks(stage: Stage) -> None:
    """The gateway does not notice within the test that server one is away."""
    one = stage.one
    await stage.gateway.add_server("digits", ONE, one.http_port, one.grpc_port, health_seconds=60)


# -- changes --------------------------------------------------------------------------------------


async def test_routes_that_somebody_else_changed_are_left_alone(stage: Stage) -> None:
    router = stage.gateway.router
    await router.apply(MOVED, replacing=ROUTES)

    with pytest.raises(RoutesChangedError):
        await router.apply(ROUTES, replacing=ROUTES)

    assert await router.observe("digits") == MOVED
    assert (await stage.get()).text == TWO


async def test_routes_to_a_server_that_is_not_there_are_refused_and_taken_back(
    stage: Stage,
) -> None:
    router = stage.gateway.router

    with pytest.raises(RouterError, match="Envoy refused the new routes"):
        await router.apply(replace(ROUTES, weights={"digits-9-z": 100}))

    assert await router.observe("digits") == ROUTES
    assert (await stage.get()).text == ONE


async def test_servers_that_come_and_go_disturb_neither_users_nor_observers(stage: Stage) -> None:
    router, files = stage.gateway.router, stage.gateway.files
    http_port, grpc_port = stage.two.http_port, stage.two.grpc_port
    for number in range(5):
        await stage.gateway.add_server("digits", f"digits-new-{number}", http_port, grpc_port)
        assert await router.observe("digits") == ROUTES
        assert (await stage.get(x_tidegate_revision=f"digits-new-{number}")).text == TWO
        files.remove_server(f"digits-new-{number}")
        assert await router.observe("digits") == ROUTES
        assert (await stage.get()).text == ONE
    assert await stage.gateway.admin.rejected_updates() == 0
