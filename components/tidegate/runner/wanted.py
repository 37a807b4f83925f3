"""Whether a run is still wanted by whoever asked for it, as its Lease says."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal

from tidegate.cluster.errors import ClusterError
from tidegate.cluster.leases import LeaseAge, Leases
from tidegate.runner.beginning import once_heard

POLL_SECONDS = 1.0


class AnotherRunnerError(Exception):
    """Another process has taken the run over; this one must touch nothing any more."""


class NotWantedError(Exception):
    """Nobody waits for the run any more, and nothing has to be put back."""


class WantedRun:
    """One run's Lease, looked at every POLL_SECONDS while `watched`.

    `holder` names this process. A process that is started later on the same run takes the lease
    over, so that one that was believed gone and is not stops.
    """

    def __init__(self, leases: Leases, run: str, holder: str, lease_seconds: float) -> None:
        self._leases = leases
        self._run = run
        self._holder = holder
        self._lease_seconds = lease_seconds
        self._age = LeaseAge()
        self._is_cancelled = False
        self.is_taken_over = False

    def stop_reason(self) -> Literal["cancelled", "leaseLost"] | None:
        """Why the run should stop, None while it is wanted."""
        if self._is_cancelled:
            return "cancelled"
        return "leaseLost" if self._age.seconds > self._lease_seconds else None

    async def check_holder(self) -> None:
        """Raises AnotherRunnerError, and ClusterError when the lease cannot be read."""
        await self._look()
        if self.is_taken_over:
            raise AnotherRunnerError(f"another process carries {self._run} out")

    @asynccontextmanager
    async def watched(
        self, also: Callable[[], Awaitable[None]] | None = None
    ) -> AsyncIterator[None]:
        """Hold the lease and keep looking at it; `also` is called after each look.

        The work inside is cancelled when another process takes the run over.
        """
        await once_heard(lambda: self._leases.hold(self._run, self._holder))
        # It may have been cancelled while its pod was being started.
        with contextlib.suppress(ClusterError):
            await self._look()
        watch = asyncio.create_task(self._watch(also, asyncio.current_task()))
        try:
            yield
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch

    async def _watch(
        self, also: Callable[[], Awaitable[None]] | None, work: "asyncio.Task[Any] | None"
    ) -> None:
        while not self.is_taken_over:
            await asyncio.sleep(POLL_SECONDS)
            with contextlib.suppress(ClusterError):
                await self._look()
                if also is not None:
                    await also()
        if work is not None:
            work.cancel()

    async def _look(self) -> None:
        try:
            state = await self._leases.state(self._run)
        except ClusterError:
            self._age.missed()
            raise
        self._age.observed(state.renewed if state is not None else None)
        if state is not None:
            self._is_cancelled = self._is_cancelled or state.is_cancelled
            self.is_taken_over = state.holder != self._holder
