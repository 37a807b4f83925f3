"""One gate at a time on an accelerator pool: two would measure each other."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tidegate.cluster.errors import ClusterError, ForbiddenError
from tidegate.cluster.leases import STALE_SECONDS, LeaseAge, Leases
from tidegate.cluster.names import accelerator_pool_lease

RENEW_SECONDS = 5.0


class PoolTurn:
    """The pool's Lease; without a pool there is nothing to wait for.

    A gate that does not renew for STALE_SECONDS is gone, and the next one begins. One that cannot
    renew for so long has therefore lost its turn, `is_lost`. `holder`: namespace/job/process.
    """

    def __init__(
        self,
        leases: Leases,
        pool: str | None,
        holder: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._leases = leases
        self._pool = pool
        self._name = accelerator_pool_lease(pool) if pool is not None else ""
        self._holder = holder
        self._age = LeaseAge(clock)
        self._others = ""
        self.is_lost = False

    @property
    def held_by(self) -> str:
        """ "team-a/gate-1f00… holds the accelerator pool l4"."""
        return f"{self._others or 'another gate'} holds the accelerator pool {self._pool}"

    async def take(self) -> bool:
        """Take the pool if it is free. False as well when the API server does not answer.

        Raises ForbiddenError.
        """
        if self._pool is None:
            return True
        try:
            state = await self._leases.state(self._name)
            self._age.observed(f"{state.holder} {state.renewed}" if state is not None else None)
            self._others = _job_of(state.holder) if state is not None and state.holder else ""
            stale = state if self._age.seconds > STALE_SECONDS else None
            return await self._leases.take(self._name, self._holder, stale)
        except ForbiddenError:
            raise
        except ClusterError:
            self._age.missed()
            return False

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Renew while the gate runs."""
        task = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def give_back(self) -> None:
        if self._pool is not None:
            with contextlib.suppress(ClusterError):
                await self._leases.give_back(self._name, self._holder)

    async def _keep(self) -> None:
        if self._pool is None:
            return
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        while not self.is_lost:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                if not await self._leases.take(self._name, self._holder):
                    self.is_lost = True
                renewed = loop.time()
            except ClusterError:
                self.is_lost = loop.time() - renewed > STALE_SECONDS


def _job_of(holder: str) -> str:
    return "/".join(holder.split("/")[:2])
