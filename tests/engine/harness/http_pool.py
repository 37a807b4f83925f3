"""HTTP/1.1 at a fraction of a full client's cost: prebuilt requests over connections kept open."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class HttpAnswer:
    """`headers` by their names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpPool:
    """As many connections to one target as there are requests at a time. Nothing is repeated."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._idle: list[Connection] = []

    def request(self, path: str, content: bytes, headers: Mapping[str, str]) -> bytes:
        """A POST, as it goes over the wire."""
        lines = [f"POST {path} HTTP/1.1", f"Host: {self._target}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {len(content)}", "", ""]
        return "\r\n".join(lines).encode() + content

    async def ask(self, request: bytes) -> HttpAnswer:
        """Raises OSError or EOFError without an answer, ValueError for one without a length."""
        reader, writer = await self._connection()
        try:
            writer.write(request)
            await writer.drain()
            answer = await _answer(reader)
        except BaseException:
            writer.close()
            raise
        if answer.headers.get("connection", "").lower() == "close":
            writer.close()
        else:
            self._idle.append((reader, writer))
        return answer

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()

    async def _connection(self) -> Connection:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        host, _, port = self._target.rpartition(":")
        return await asyncio.open_connection(host, int(port))


async def _answer(reader: asyncio.StreamReader) -> HttpAnswer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    lines = (line.partition(":") for line in head[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in lines}
    if "content-length" not in headers:
        raise ValueError(f"an answer without a length: {head}")
    body = await reader.readexactly(int(headers["content-length"]))
    return HttpAnswer(int(head[0].split()[1]), headers, body)
