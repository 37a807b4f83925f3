"""Waiting until a revision that left the routes has answered what it had begun."""

import time
from collections.abc import Awaitable, Callable

from tidegate.traffic.router import Router

POLL_SECONDS = 0.1
QUIET_POLLS = 3
"""Zero must be seen this often in a row: a request may be between two counters."""


async def drain(
    router: Router,
    revision: str,
    limit_seconds: float,
    sleep: Callable[[float], Awaitable[None]],
    report: Callable[[str], None],
) -> int:
    """Wait for the revision's active requests to end; return how many are left at the limit."""
    deadline = time.monotonic() + limit_seconds
    quiet = 0
    while True:
        active = await router.active_requests(revision)
        quiet = quiet + 1 if active == 0 else 0
        if quiet >= QUIET_POLLS:
            return 0
        if time.monotonic() >= deadline:
            return active
        if active:
            report(f"draining {revision}: {active} requests in flight")
        await sleep(POLL_SECONDS)
