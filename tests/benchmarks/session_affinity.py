"""Sessions through weight changes: how many were answered by both sides while theirs was there.

A real Envoy in front of two small servers. Sessions begin all along, half of them over HTTP and
half over gRPC, and ask again and again while the weights change; once with a cookie, once with a
header of the service's own. A side at weight 0 finishes its sessions, as during a bake.
"""

import asyncio
import random
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import grpc
import httpx

from tests.benchmarks.figure import Measurement
from tests.benchmarks.stacks import say, temporary_folder
from tests.engine.harness.gateway import RunningGateway, running_gateway
from tests.engine.harness.upstream import SERVICE, Upstream, raw
from tests.unit.provider.stand_ins import free_ports
from tidegate.spec.traffic import Affinity
from tidegate.traffic.routes import REVISION_HEADER, ServiceRoutes

SESSIONS = 1000
CHANGES = 20
BEGIN_DURING_CHANGES = 10
AT_ONCE = 32
SEED = 20261122
OLD, NEW = "digits-1", "digits-2"
NAME = "x-digits-session"
WAYS = {"cookie": Affinity(cookie=NAME), "header": Affinity(header=NAME)}


@dataclass
class Session:
    """One user. `key` is what the gateway gave; `seen` are the revisions that answered."""

    protocol: str
    key: str | None = None
    seen: list[str] = field(default_factory=list)

    @property
    def saw_both_sides(self) -> bool:
        return len(set(self.seen)) > 1


@dataclass(frozen=True)
class Passage:
    """What one way of affinity gave. `moved` of `left_behind` sessions went on at the other side
    when theirs took no sessions any more."""

    sessions: list[Session]
    requests: int
    failed: int
    left_behind: int
    moved: int


class Users:
    """Asks for sessions over one HTTP client and one gRPC channel."""

    def __init__(self, way: str, http: httpx.AsyncClient, channel: grpc.aio.Channel) -> None:
        self._way, self._http = way, http
        self._call = channel.unary_unary(f"/{SERVICE}/ModelInfer", raw, raw)
        self._places = asyncio.Semaphore(AT_ONCE)
        self.requests = self.failed = 0

    async def ask(self, session: Session) -> None:
        async with self._places:
            self.requests += 1
            send = self._ask_http if session.protocol == "http" else self._ask_grpc
            try:
                answer = await send(session)
            except (httpx.HTTPError, grpc.aio.AioRpcError):
                self.failed += 1
                return
        session.seen.append(answer[REVISION_HEADER])
        given = answer.get("set-cookie" if self._way == "cookie" else NAME)
        if given is not None:
            session.key = given.partition(";")[0]

    async def _ask_http(self, session: Session) -> dict[str, str]:
        self._http.cookies.clear()
        headers = self._headers(session)
        answer = await self._http.get("/v2/models/digits/infer", headers=headers)
        answer.raise_for_status()
        return dict(answer.headers)

    async def _ask_grpc(self, session: Session) -> dict[str, str]:
        call = self._call(b"", metadata=tuple(self._headers(session).items()))
        await call
        return {name: str(value) for name, value in (await call.initial_metadata()) or ()}

    def _headers(self, session: Session) -> dict[str, str]:
        if session.key is None:
            return {}
        return {"cookie" if self._way == "cookie" else NAME: session.key}


def measure_session_affinity() -> Measurement:
    """Sessions that saw both sides while the side that began them took or finished sessions."""
    passages = {}
    for way in WAYS:
        with temporary_folder() as folder:
            passages[way] = asyncio.run(_passage(folder, way))
    torn = [sum(each.saw_both_sides for each in passages[way].sessions) for way in WAYS]
    failed = sum(each.failed for each in passages.values())
    stuck = sum(each.left_behind - each.moved for each in passages.values())
    begun = sum(len(each.sessions) for each in passages.values())
    return Measurement(
        value=sum(torn),
        unit="sessions that saw both sides",
        goal="0",
        met=sum(torn) == failed == stuck == 0,
        reference=f"{begun} sessions, {CHANGES} weight changes, HTTP and gRPC, a real Envoy",
        runs=torn,
        detail={
            way: {
                "sessions": len(passage.sessions),
                "requests": passage.requests,
                "failed": passage.failed,
                "begunOnTheOldSide": sum(each.seen[0] == OLD for each in passage.sessions),
                "leftBehind": passage.left_behind,
                "movedWhenTheirSideLeft": passage.moved,
            }
            for way, passage in passages.items()
        },
    )


async def _passage(folder: Path, way: str) -> Passage:
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(running_gateway(folder / "gateway"))
        for revision in (OLD, NEW):
            server = Upstream(revision, *free_ports(2))
            await server.start()
            stack.push_async_callback(server.stop)
            await gateway.add_server("digits", revision, server.http_port, server.grpc_port)
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=f"http://{gateway.target}", trust_env=False, timeout=30)
        )
        options = [("grpc.enable_retries", 0), ("grpc.enable_http_proxy", 0)]
        channel = await stack.enter_async_context(
            grpc.aio.insecure_channel(gateway.target, options=options)
        )
        return await _through_changes(gateway, Users(way, http, channel), WAYS[way])


async def _through_changes(gateway: RunningGateway, users: Users, affinity: Affinity) -> Passage:
    """Every session that has begun asks once while each change is made, and once after it."""
    generator = random.Random(SEED)  # noqa: S311
    routes = ServiceRoutes("digits", ("digits",), {OLD: 100, NEW: 0}, 30, affinity=affinity)
    await gateway.router.apply(routes)
    waiting = [Session("http" if number % 2 else "grpc") for number in range(SESSIONS)]
    sessions: list[Session] = []
    for number, weight in enumerate(_weights(generator), start=1):
        sessions += waiting[: SESSIONS // BEGIN_DURING_CHANGES]
        del waiting[: SESSIONS // BEGIN_DURING_CHANGES]
        generator.shuffle(sessions)
        asking = asyncio.gather(*(users.ask(session) for session in sessions))
        weights = {OLD: 100 - weight, NEW: weight}
        finishing = tuple(revision for revision in weights if not weights[revision])
        await gateway.router.apply(replace(routes, weights=weights, finishing=finishing))
        await asking
        await asyncio.gather(*(users.ask(session) for session in sessions))
        say(f"  {number} of {CHANGES} changes, {len(sessions)} sessions")
    await gateway.router.apply(replace(routes, weights={OLD: 0, NEW: 100}))
    left_behind = [replace(each, seen=[]) for each in sessions if each.seen[0] == OLD]
    await asyncio.gather(*(users.ask(session) for session in left_behind))
    moved = sum(each.seen == [NEW] for each in left_behind)
    return Passage(sessions, users.requests, users.failed, len(left_behind), moved)


def _weights(generator: random.Random) -> Iterator[int]:
    """Percentages of the new side; both ends are among them."""
    chosen = [0, 100, *(generator.randint(1, 99) for _ in range(CHANGES - 2))]
    generator.shuffle(chosen)
    return iter(chosen)
