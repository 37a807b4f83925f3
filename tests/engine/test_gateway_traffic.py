"""The gateway's traffic rules on a real Envoy; only the servers behind it are small ones."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from tests.engine.harness.gateway import RunningGateway, counted_requests, running_gateway
from tests.engine.harness.upstream import DO, SERVICE, SLOW_SECONDS, Upstream, raw
from tests.engine.harness.waiting import wait_for_async
from tests.unit.provider.stand_ins import free_ports
from tidegate.spec.traffic import Affinity
from tidegate.traffic.router import RouterError, RoutesChangedError
from tidegate.traffic.routes import REVISION_HEADER, ServiceRoutes

pytestmark = pytest.mark.engine

ONE, TWO = "digits-1-a", "digits-2-b"
INFER = "/v2/models/digits/infer"
EVENTS = "/v2/models/digits/versions/1/generate_stream"
ROUTES = ServiceRoutes("digits", ("digits",), {ONE: 100, TWO: 0}, 30)
MOVED = replace(ROUTES, weights={ONE: 0, TWO: 100})


@dataclass(frozen=True)
class Stage:
    """A gateway, two servers behind it, and users in front of it."""

    gateway: RunningGateway
    one: Upstream
    two: Upstream
    http: httpx.AsyncClient
    channel: grpc.aio.Channel

    async def get(self, path: str = INFER, **headers: str) -> httpx.Response:
        return await self.http.get(path, headers=_dashed(headers))

    async def call(self, *, seconds: float | None = None, **metadata: str) -> tuple[str, str]:
        """Answer and revision of one gRPC call."""
        method = self.channel.unary_unary(f"/{SERVICE}/ModelInfer", raw, raw)
        call = method(b"", timeout=seconds, metadata=tuple(_dashed(metadata).items()))
        answer = await call
        return answer.decode(), str(dict(await call.initial_metadata()).get(REVISION_HEADER))

    def stream(self) -> Any:
        return self.channel.stream_stream(f"/{SERVICE}/ModelStreamInfer", raw, raw)()


def _dashed(names: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in names.items()}


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """Server one has the traffic, server two is known and has none."""
    one, two = (Upstream(name, *free_ports(2)) for name in (ONE, TWO))
    async with (
        running_gateway(tmp_path / "gateway") as gateway,
        httpx.AsyncClient(base_url=f"http://{gateway.target}", trust_env=False) as http,
        grpc.aio.insecure_channel(
            gateway.target, options=[("grpc.enable_retries", 0), ("grpc.enable_http_proxy", 0)]
        ) as channel,
    ):
        for server in (one, two):
            await server.start()
            await gateway.add_server("digits", server.revision, server.http_port, server.grpc_port)
        await gateway.router.apply(ROUTES)
        try:
            yield Stage(gateway, one, two, http, channel)
        finally:
            await one.stop()
            await two.stop()


async def refused(call: Awaitable[Any]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


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
    with pytest.raises(httpx.ReadTimeout):
        await stage.http.get(INFER, headers={DO: "hang"}, timeout=0.2)
    late = await refused(stage.call(seconds=0.2, x_do="hang"))
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


# -- streams and limits ---------------------------------------------------------------------------


async def test_streams_end_where_they_began_whatever_the_weights_do(stage: Stage) -> None:
    router = stage.gateway.router
    stream = stage.stream()
    await stream.write(b"0")
    assert await stream.read() == b"digits-1-a 0"
    events = asyncio.create_task(stage.get(EVENTS, x_events="15"))

    await in_flight(stage, ONE, 2)
    for number in range(1, 11):
        await router.apply(MOVED if number % 2 else ROUTES)
        await stream.write(str(number).encode())
        assert await stream.read() == f"digits-1-a {number}".encode()
    await router.apply(replace(ROUTES, weights={TWO: 100}))

    assert (await stage.get()).text == TWO
    lines = [line for line in (await events).text.splitlines() if line]
    assert lines == [f"data: digits-1-a {number}" for number in range(15)]
    await in_flight(stage, ONE, 1)
    await stream.done_writing()
    assert await stream.read() is grpc.aio.EOF
    await in_flight(stage, ONE, 0)


async def in_flight(stage: Stage, revision: str, count: int) -> None:
    async def are_so_many() -> bool:
        return await stage.gateway.router.active_requests(revision) == count

    await wait_for_async(f"{count} requests in flight to {revision}", are_so_many)


async def test_a_stream_ends_at_the_services_limit(stage: Stage) -> None:
    await stage.gateway.router.apply(replace(ROUTES, max_stream_seconds=1))

    stream = stage.stream()
    await stream.write(b"0")
    assert await stream.read() == b"digits-1-a 0"
    ended = await refused(stream.read())
    with pytest.raises(httpx.RemoteProtocolError):
        await stage.get(EVENTS, x_events="40")

    assert ended.code() in {grpc.StatusCode.INTERNAL, grpc.StatusCode.DEADLINE_EXCEEDED}
    assert (await counted_requests(stage.gateway.router, ONE, 2)).errors == 2


async def test_a_request_may_last_longer_than_a_stream(stage: Stage) -> None:
    await stage.gateway.router.apply(replace(ROUTES, max_stream_seconds=0.2))

    assert (await stage.get(x_do="slow")).status_code == 200
    assert await stage.call(x_do="slow") == (ONE, ONE)


async def test_streams_without_a_limit_outlast_the_requests_limit(stage: Stage) -> None:
    await stage.gateway.router.apply(replace(ROUTES, request_timeout_seconds=0.2))

    assert len((await stage.get(EVENTS, x_events="5")).text.split()) == 5 * 3
    assert (await stage.get(x_do="hang")).status_code == 504
    error = await refused(stage.call(x_do="hang"))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert (await counted_requests(stage.gateway.router, ONE, 3)).errors == 2


# -- sessions -------------------------------------------------------------------------------------

Ask = Callable[[str | None], Awaitable[tuple[str, str | None]]]
"""Sends a session's key, None at first; returns the revision and the key that the answer gives."""


@pytest.mark.parametrize("way", ["cookie", "header", "grpc"])
async def test_a_session_stays_while_its_side_takes_or_finishes_sessions(
    stage: Stage, way: str
) -> None:
    affinity = Affinity(cookie="session") if way == "cookie" else Affinity(header="x-session")
    ask = _asker(stage, way)
    routes = replace(ROUTES, affinity=affinity)
    await stage.gateway.router.apply(routes)
    revision, key = await ask(None)
    assert revision == ONE
    assert key is not None

    for weight in (50, 1, 0, 30, 0):
        weights = {ONE: weight, TWO: 100 - weight}
        moved = replace(routes, weights=weights, finishing=() if weight else (ONE,))
        await stage.gateway.router.apply(moved)
        assert (await ask(key))[0] == ONE

    assert (await ask(None))[0] == TWO
    await stage.gateway.router.apply(replace(routes, weights={ONE: 0, TWO: 100}))
    revision, key = await ask(key)
    assert revision == TWO
    assert key is not None
    await stage.gateway.router.apply(replace(routes, weights={ONE: 99, TWO: 1}))
    assert (await ask(key))[0] == TWO


async def test_the_cookie_is_given_once_and_hidden_from_scripts(stage: Stage) -> None:
    affinity = Affinity(cookie="session", seconds=90)
    await stage.gateway.router.apply(replace(ROUTES, affinity=affinity))

    first = await stage.get()
    second = await stage.get(cookie=f"other=1; session={ONE}")

    assert first.headers["set-cookie"] == f"session={ONE}; Path=/; Max-Age=90; HttpOnly"
    assert "set-cookie" not in second.headers


async def test_a_named_revision_is_no_session(stage: Stage) -> None:
    await stage.gateway.router.apply(replace(ROUTES, affinity=Affinity(cookie="session")))

    answer = await stage.get(x_tidegate_revision=TWO, cookie=f"session={ONE}")

    assert answer.text == TWO
    assert "set-cookie" not in answer.headers


def _asker(stage: Stage, way: str) -> Ask:
    async def by_cookie(key: str | None) -> tuple[str, str | None]:
        stage.http.cookies.clear()
        answer = await stage.get(**({} if key is None else {"cookie": key}))
        given = answer.headers.get("set-cookie")
        return answer.text, None if given is None else given.partition(";")[0]

    async def by_header(key: str | None) -> tuple[str, str | None]:
        answer = await stage.get(**({} if key is None else {"x-session": key}))
        return answer.text, answer.headers.get("x-session")

    async def by_metadata(key: str | None) -> tuple[str, str | None]:
        method = stage.channel.unary_unary(f"/{SERVICE}/ModelInfer", raw, raw)
        call = method(b"", metadata=() if key is None else (("x-session", key),))
        answer = await call
        return answer.decode(), str(dict(await call.initial_metadata())["x-session"])

    return {"cookie": by_cookie, "header": by_header, "grpc": by_metadata}[way]


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
