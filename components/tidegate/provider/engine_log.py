"""Lines in the engine's display."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, cast

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from tidegate.provider.handler import Operation


class EngineLog:
    """Sends lines one after the other; calls of their own would overtake each other."""

    def __init__(self, engine: engine_pb2_grpc.EngineStub) -> None:
        self._engine = engine
        self._last: asyncio.Future[None] | None = None

    def operation(self, urn: str, cancelled: asyncio.Event) -> Operation:
        """An operation on one resource, whose lines the engine shows beside it."""

        def line(severity: Any, ephemeral: bool) -> Callable[[str], None]:
            return lambda message: self.say(severity, message, urn, ephemeral)

        return Operation(
            status=line(engine_pb2.INFO, ephemeral=True),
            info=line(engine_pb2.INFO, ephemeral=False),
            warn=line(engine_pb2.WARNING, ephemeral=False),
            cancelled=cancelled,
        )

    def say(self, severity: Any, message: str, urn: str = "", ephemeral: bool = False) -> None:
        """Send a line after those before it, without waiting for it."""
        request = engine_pb2.LogRequest(
            severity=severity, message=message, urn=urn, ephemeral=ephemeral
        )
        self._last = asyncio.ensure_future(self._send(request, self._last))

    async def flush(self) -> None:
        """Wait until everything said so far has been sent."""
        if self._last is not None:
            await self._last

    async def _send(
        self, request: engine_pb2.LogRequest, previous: asyncio.Future[None] | None
    ) -> None:
        if previous is not None:
            await previous
        # A lost line must not fail the operation that reported it.
        with contextlib.suppress(grpc.aio.AioRpcError):
            await cast("Awaitable[Any]", self._engine.Log(request))
