"""Answers `kubectl logs`: the API server fetches them from the address its node gives."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.cluster.harness.credentials import ServingCertificate

PORT = 10250
FindLog = Callable[[str, str, str, bool], Path]
"""Log of a container by namespace, pod, container, and whether its previous run is meant."""


async def serve_logs(
    address: str, certificate: ServingCertificate, find: FindLog
) -> asyncio.Server:
    """Serve `/containerLogs/<namespace>/<pod>/<container>` over TLS on port 10250."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.certificate, certificate.key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            status, body = _answer(head.split()[1], find)
            lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close"]
            writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            await writer.drain()
            writer.close()

    return await asyncio.start_server(answer, address, PORT, ssl=context)


def _answer(target: str, find: FindLog) -> tuple[str, bytes]:
    asked = urlsplit(target)
    options = {name: values[-1] for name, values in parse_qs(asked.query).items()}
    try:
        _, kind, namespace, pod, container = asked.path.split("/")
        log = find(namespace, pod, container, options.get("previous") == "true")
        content = log.read_bytes()
    except (ValueError, KeyError, OSError):
        return "404 Not Found", b"no such container"
    if kind != "containerLogs":
        return "404 Not Found", b"the stand-in has logs only"
    if (lines := int(options.get("tailLines", -1))) >= 0:
        content = b"".join(content.splitlines(keepends=True)[-lines:] if lines else [])
    limit = int(options.get("limitBytes", len(content)))
    return "200 OK", content[:limit]
