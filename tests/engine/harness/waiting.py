"""Polling with a deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
LIMIT_SECONDS = 120.0
"""Costs nothing when it is met: a busy machine takes several times as long as a free one."""


def wait_for(
    what: str,
    look: Callable[[], T | None],
    timeout: float = LIMIT_SECONDS,
    poll_seconds: float = 0.2,
) -> T:
    """The first true value that `look` returns. Raises AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s in vain for {what}")
        time.sleep(poll_seconds)


async def wait_for_async(
    what: str, look: Callable[[], Awaitable[bool]], poll_seconds: float = 0.05
) -> None:
    """As `wait_for`, beside other work of the event loop."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not await look():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {LIMIT_SECONDS:g} s in vain for {what}")
        await asyncio.sleep(poll_seconds)
