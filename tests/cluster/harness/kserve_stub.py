"""A light server with a slot's ports, for tests with many services: ready at once, 30 MB.

It answers inference with the name of its revision and misbehaves on request, as the servers of
the gateway tests do (upstream.py). Its arguments are Triton's and have no effect.
"""

from __future__ import annotations

import asyncio
import signal
import socket

from tests.engine.harness.upstream import Upstream

HTTP_PORT, GRPC_PORT, METRICS_PORT = 8000, 8001, 8002
EVERYWHERE = "0.0.0.0"  # noqa: S104  # of the pod's own network


def revision_of(pod: str) -> str:
    """The Deployment of a pod by the pod's name."""
    return pod.rsplit("-", 2)[0]


async def serve() -> None:
    upstream = Upstream(revision_of(socket.gethostname()), HTTP_PORT, GRPC_PORT, address=EVERYWHERE)
    await upstream.start()
    metrics = await asyncio.start_server(_empty_page, EVERYWHERE, METRICS_PORT)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()
    metrics.close()
    await upstream.stop()


async def _empty_page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


if __name__ == "__main__":
    asyncio.run(serve())
