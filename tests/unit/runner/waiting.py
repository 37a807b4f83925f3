"""Waiting for what another task does."""

import asyncio
from collections.abc import Awaitable, Callable

LIMIT_SECONDS = 30.0


async def until(holds: Callable[[], bool | Awaitable[bool]]) -> None:
    """Return once it holds; fail after LIMIT_SECONDS."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            found = holds()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.05)
