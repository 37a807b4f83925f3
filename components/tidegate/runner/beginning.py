"""Runners begin although the API server is just being restarted."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tidegate.cluster.errors import UnreachableError

SILENCE_SECONDS = 60.0
RETRY_SECONDS = 1.0

T = TypeVar("T")


async def once_heard(work: Callable[[], Awaitable[T]]) -> T:
    """What `work`, which may be repeated, returns once the API server answers.

    Raises UnreachableError after SILENCE_SECONDS without an answer.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SILENCE_SECONDS
    while True:
        try:
            return await work()
        except UnreachableError:
            if loop.time() >= deadline:
                raise
        await asyncio.sleep(RETRY_SECONDS)
