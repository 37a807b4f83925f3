"""Streams, limits and sessions through a real Envoy; the servers behind it are small ones."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import grpc
import httpx
import pytest

from tests.engine.harness.gateway import counted_requests
from tests.engine.harness.gateway_stage import (
    EVENTS,
    MOVED,
    ONE,
    ROUTES,
    TWO,
    Stage,
    refused,
)
from tests.engine.harness.upstream import SERVICE, raw
from tests.engine.harness.waiting import wait_for_async
from tidegate.spec.traffic import Affinity

pytestmark = pytest.mark.engine

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
    await stage.gateway.router.apply(replace(ROUTES, max_stream_seconds=2))
    await stage.open_connections()

    async def of_http() -> None:
        with pytest.raises(httpx.RemoteProtocolError):
            await stage.get(EVENTS, x_events="400")

    async def of_grpc() -> grpc.aio.AioRpcError:
        stream = stage.stream()
        await stream.write(b"0")
        assert await stream.read() == b"digits-1-a 0"
        return await refused(stream.read())

    ended, _ = await asyncio.gather(of_grpc(), of_http())
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
