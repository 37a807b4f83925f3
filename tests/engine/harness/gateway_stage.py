"""A gateway, two servers behind it, and users in front of it."""

import contextlib
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from tests.engine.harness.gateway import RunningGateway, running_gateway
from tests.engine.harness.upstream import SERVICE, Upstream, raw
from tests.engine.harness.waiting import LIMIT_SECONDS
from tidegate.traffic.routes import REVISION_HEADER, ServiceRoutes

ONE, TWO = "digits-1-a", "digits-2-b"
INFER = "/v2/models/digits/infer"
EVENTS = "/v2/models/digits/versions/1/generate_stream"
ROUTES = ServiceRoutes("digits", ("digits",), {ONE: 100, TWO: 0}, 30)
MOVED = replace(ROUTES, weights={ONE: 0, TWO: 100})


@dataclass(frozen=True)
class Stage:
    """What a test of the gateway has; users ask for inference unless told otherwise."""

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

    async def open_connections(self) -> None:
        """So that a request has all of its time. It names its revision: no user is counted."""
        await self.get(x_tidegate_revision=ONE)
        await self.call(x_tidegate_revision=ONE)

    def stream(self) -> Any:
        return self.channel.stream_stream(f"/{SERVICE}/ModelStreamInfer", raw, raw)()


def _dashed(names: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in names.items()}


@contextlib.asynccontextmanager
async def stage_in(folder: Path) -> AsyncIterator[Stage]:
    """Server one has the traffic, server two is known and has none."""
    one, two = Upstream(ONE), Upstream(TWO)
    async with (
        running_gateway(folder) as gateway,
        httpx.AsyncClient(
            base_url=f"http://{gateway.target}", trust_env=False, timeout=LIMIT_SECONDS
        ) as http,
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
