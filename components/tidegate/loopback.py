"""Small HTTP requests to servers of our own on this machine.

From the standard library: a client library would spend more on its import and on a TLS context
than all requests of an update together.
"""

import asyncio
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException


class NoAnswerError(Exception):
    """Nobody listens, or what listens does not answer HTTP in time."""


@dataclass(frozen=True)
class Answer:
    """Status code, headers by lower-case name, and body."""

    status: int
    headers: dict[str, str]
    text: str


def request(
    method: str, address: str, path: str, timeout_seconds: float, body: str | None = None
) -> Answer:
    """Send one request to "host:port"; `body` is JSON. Raises NoAnswerError."""
    connection = HTTPConnection(address, timeout=timeout_seconds)
    headers = {"content-type": "application/json"} if body is not None else {}
    try:
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        return Answer(
            response.status,
            {name.lower(): value for name, value in response.getheaders()},
            response.read().decode("utf-8", errors="replace"),
        )
    except (OSError, HTTPException) as error:
        raise NoAnswerError(f"http://{address}{path} does not answer: {error!r}") from error
    finally:
        connection.close()


async def get(address: str, path: str, timeout_seconds: float) -> Answer:
    """GET without blocking the event loop. Raises NoAnswerError."""
    return await asyncio.to_thread(request, "GET", address, path, timeout_seconds)


async def post(address: str, path: str, timeout_seconds: float) -> Answer:
    """POST without a body, without blocking the event loop. Raises NoAnswerError."""
    return await asyncio.to_thread(request, "POST", address, path, timeout_seconds)
