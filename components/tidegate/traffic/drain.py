"""Waiting until a revision that left the routes has answered what it had begun."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from tidegate.traffic.router import NoDataPlaneError, Router, RouterError

POLL_SECONDS = 0.1
QUIET_POLLS = 3
"""Zero must be seen this often in a row: a request may be between two counters."""


@dataclass(frozen=True)
class Drained:
    """How a drain ended. `open_requests` is what was left at the limit, by protocol."""

    revision: str
    seconds: float
    open_requests: Mapping[str, int]

    @property
    def left(self) -> int:
        return sum(self.open_requests.values())

    @property
    def in_words(self) -> str:
        """ "digits-1-… still has 2 requests open after 30 s (http 1, grpc 1)"."""
        if not self.left:
            return f"{self.revision} had answered everything after {self.seconds:.1f} s"
        parts = ", ".join(f"{name} {n}" for name, n in self.open_requests.items() if n)
        noun = "request" if self.left == 1 else "requests"
        return (
            f"{self.revision} still has {self.left} {noun} open after {self.seconds:.1f} s "
            f"({parts})"
        )


async def drain(
    router: Router,
    revision: str,
    limit_seconds: float,
    sleep: Callable[[float], Awaitable[None]],
    report: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> Drained:
    """Wait for the revision's active requests to end; say what is left at the limit.

    A router that is silent is asked again; raises RouterError when it still is at the limit, and
    NoDataPlaneError at once.
    """
    began = clock()
    quiet = 0
    while True:
        try:
            active = await router.active_requests(revision)
        except NoDataPlaneError:
            raise
        except RouterError as error:
            if clock() - began >= limit_seconds:
                raise
            quiet = 0
            report(f"draining {revision}: waiting for the router: {error}")
            await sleep(POLL_SECONDS)
            continue
        quiet = quiet + 1 if active == 0 else 0
        seconds = clock() - began
        if quiet >= QUIET_POLLS:
            return Drained(revision, seconds, {})
        if seconds >= limit_seconds:
            return Drained(revision, seconds, await router.open_requests(revision))
        if active:
            report(f"draining {revision}: {active} requests in flight")
        await sleep(POLL_SECONDS)
