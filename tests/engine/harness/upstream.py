"""Servers behind a gateway under test: HTTP and gRPC, small, and made to misbehave on request.

They speak as much of the KServe v2 protocol as the gateway looks at. What a request asks for is
in its header `x-do`: "fail", "break" (the connection, in the middle of the answer), "slow" (half a
second), or nothing. `x-events` is how many messages a stream sends, a tenth of a second apart: one
over HTTP unless told otherwise, over gRPC none beside its answers.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import grpc

DO = "x-do"
SLOW_SECONDS = 1.5
HANG_SECONDS = 60.0
EVENT_SECONDS = 0.1
HEALTHY = b"\x08\x01"
"""grpc.health.v1.HealthCheckResponse with status SERVING."""
SERVICE = "inference.GRPCInferenceService"


def raw(message: bytes) -> bytes:
    return message


@dataclass
class Upstream:
    """One revision's server, on free ports without any given. `asked` holds what each request has
    named."""

    revision: str
    http_port: int = 0
    grpc_port: int = 0
    address: str = field(default="127.0.0.1", kw_only=True)
    asked: list[Mapping[str, str]] = field(default_factory=list, init=False)
    _http: asyncio.Server | None = field(default=None, init=False)
    _grpc: grpc.aio.Server | None = field(default=None, init=False)

    async def start(self) -> None:
        await self.start_http()
        self._grpc = grpc.aio.server()
        self._grpc.add_generic_rpc_handlers((_Handlers(self),))
        self.grpc_port = self._grpc.add_insecure_port(f"{self.address}:{self.grpc_port}")
        await self._grpc.start()

    async def start_http(self) -> None:
        self._http = await asyncio.start_server(self._serve, self.address, self.http_port)
        self.http_port = int(self._http.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        await self.stop_http()
        if self._grpc is not None:
            await self._grpc.stop(0)

    async def stop_http(self) -> None:
        """Listens no more; connections that exist end with their requests."""
        if self._http is not None:
            self._http.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            # One request for each connection: nothing is left open when a test ends.
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            line, *lines = head.split("\r\n")
            headers = {
                name.lower(): value for name, _, value in (each.partition(": ") for each in lines)
            }
            await reader.readexactly(int(headers.get("content-length", 0)))
            await self._answer(line.split()[1], headers, writer)
            writer.close()

    async def _answer(
        self, path: str, headers: Mapping[str, str], writer: asyncio.StreamWriter
    ) -> None:
        if path == "/ready":
            _write(writer, 200, b"")
            return
        self.asked.append({"path": path, **headers})
        if path.endswith("/generate_stream"):
            await self._events(int(headers.get("x-events", 1)), writer)
            return
        match headers.get(DO):
            case "fail":
                _write(writer, 500, b"failed")
            case "break":
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
                await writer.drain()
            case "slow":
                await asyncio.sleep(SLOW_SECONDS)
                _write(writer, 200, self.revision.encode())
            case "hang":
                await asyncio.sleep(HANG_SECONDS)
            case _:
                _write(writer, 200, self.revision.encode())

    async def _events(self, count: int, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n")
        writer.write(b"transfer-encoding: chunked\r\n\r\n")
        for number in range(count):
            event = f"data: {self.revision} {number}\n\n".encode()
            writer.write(b"%x\r\n%b\r\n" % (len(event), event))
            await writer.drain()
            await asyncio.sleep(EVENT_SECONDS)
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def _write(writer: asyncio.StreamWriter, status: int, body: bytes) -> None:
    head = f"HTTP/1.1 {status} -\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    writer.write(head.encode() + body)


class _Handlers(grpc.GenericRpcHandler):
    """Messages are bytes: an answer is the revision's name, a stream's the message it answers."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def service(
        self, details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        match details.method:
            case "/grpc.health.v1.Health/Check":
                return grpc.unary_unary_rpc_method_handler(_healthy, raw, raw)
            case method if method == f"/{SERVICE}/ModelInfer":
                return grpc.unary_unary_rpc_method_handler(self._infer, raw, raw)
            case method if method == f"/{SERVICE}/ModelStreamInfer":
                return grpc.stream_stream_rpc_method_handler(self._stream, raw, raw)
        return None

    async def _infer(
        self, message: bytes, context: grpc.aio.ServicerContext[bytes, bytes]
    ) -> bytes:
        metadata = {str(name): str(value) for name, value in context.invocation_metadata() or ()}
        self._upstream.asked.append(metadata)
        if metadata.get(DO) == "fail":
            await context.abort(grpc.StatusCode.INTERNAL, "failed")
        if metadata.get(DO) == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        if metadata.get(DO) == "hang":
            await asyncio.sleep(HANG_SECONDS)
        return self._upstream.revision.encode()

    async def _stream(
        self, messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]
    ) -> AsyncIterator[bytes]:
        revision = self._upstream.revision.encode()
        metadata = {str(name): str(value) for name, value in context.invocation_metadata() or ()}
        async for message in messages:
            yield revision + b" " + message
        for number in range(int(metadata.get("x-events", 0))):
            await asyncio.sleep(EVENT_SECONDS)
            yield revision + b" %d" % number


async def _healthy(message: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
    return HEALTHY
