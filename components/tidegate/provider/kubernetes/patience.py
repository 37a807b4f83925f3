"""An API server, or a webhook of its own, that is silent or fails for a moment: a restart."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from tidegate.cluster.errors import BusyError, UnreachableError
from tidegate.provider.handler import Operation

SILENCE_SECONDS = 60.0
"""So long work that is under way waits for the API server; a restart takes a few seconds."""
BUSY_SECONDS = 10.0
"""So long a preview waits: the API server answers 429 while it prepares a kind's storage."""
RETRY_SECONDS = 1.0

T = TypeVar("T")


def saying_once(operation: Operation) -> Operation:
    """The operation, whose status is shown only when it is another: loops repeat it."""
    shown = [""]

    def status(message: str) -> None:
        if message != shown[0]:
            shown[0] = message
            operation.status(message)

    return replace(operation, status=status)


async def patiently(
    operation: Operation,
    work: Callable[[], Awaitable[T]],
    seconds: float = SILENCE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    silence: type[UnreachableError] = UnreachableError,
) -> T:
    """What `work`, which may be repeated, returns once the API server carries it out.

    Raises UnreachableError after that much silence, of a webhook as well, and whatever
    `operation.sleep` raises.
    """
    deadline = clock() + seconds
    while True:
        try:
            return await work()
        except silence as error:
            if clock() >= deadline:
                raise
            operation.status(f"waiting for the API server: {error}")
        await operation.sleep(RETRY_SECONDS)


async def in_a_preview(work: Callable[[], Awaitable[T]]) -> T:
    """What `work`, which may be repeated, returns once the API server has time for it.

    Raises UnreachableError at once when nobody answers: whoever previews waits for it.
    """
    return await patiently(Operation(), work, BUSY_SECONDS, silence=BusyError)
