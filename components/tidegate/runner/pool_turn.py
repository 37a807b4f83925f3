"""One gate at a time on an accelerator pool: two would measure each other."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tidegate.cluster.errors import ClusterError, ForbiddenError
from tidegate.cluster.leases import STALE_SECONDS, LeaseAge, Leases
from tidegate.cluster.names import accelerator_pool_lease
from tidegate.runner.beside import running_beside

RENEW_SECONDS = 5.0
RETRY_SECONDS = 2.0
ATTEMPT_SECONDS = 5.0
DEADLINE_SECONDS = 20.0
"""A holder that has not renewed for so long stops. What is left of STALE_SECONDS is for its load to
end: whoever waits begins no earlier, because it counts from a renewal that it has seen."""


class PoolTurn:
    """The pool's Lease; without a pool there is nothing to wait for.

    A gate that does not renew for STALE_SECONDS is gone, and the next one begins. `holder`:
    namespace/job/process.
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
        self._clock = clock
        self._age = LeaseAge(clock)
        self._others = ""
        self._renewed = clock()
        self._has_another = False

    def why_lost(self) -> str | None:
        """Why another gate has the pool, or may have it soon; None while this one has it.

        Asked by the clock, so that no request that hangs delays it.
        """
        if self._pool is None:
            return None
        if self._has_another:
            return f"another gate has taken the accelerator pool {self._pool}"
        if self._clock() - self._renewed <= DEADLINE_SECONDS:
            return None
        return (
            f"the API server has not answered for {DEADLINE_SECONDS:g} s, so another gate may take "
            f"the accelerator pool {self._pool}"
        )

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
            asked = self._clock()
            if not await self._leases.take(self._name, self._holder, stale):
                return False
            self._renewed = asked
            return True
        except ForbiddenError:
            raise
        except ClusterError:
            self._age.missed()
            return False

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Renew while the gate runs."""
        async with running_beside(self._keep()):
            yield

    async def give_back(self) -> None:
        if self._pool is not None:
            with contextlib.suppress(ClusterError):
                await self._leases.give_back(self._name, self._holder)

    async def renew(self) -> bool:
        """Whether the lease was renewed. It counts from the question: when the API server wrote
        it, is not known."""
        asked = self._clock()
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                if await self._leases.take(self._name, self._holder):
                    self._renewed = asked
                    return True
                # Or an attempt of our own that was given up came through meanwhile.
                state = await self._leases.state(self._name)
        except (ClusterError, TimeoutError):
            return False
        self._has_another = state is not None and state.holder not in {None, self._holder}
        return False

    async def _keep(self) -> None:
        if self._pool is None:
            return
        pause = RENEW_SECONDS
        while self.why_lost() is None:
            await asyncio.sleep(pause)
            pause = RENEW_SECONDS if await self.renew() else RETRY_SECONDS


def _job_of(holder: str) -> str:
    return "/".join(holder.split("/")[:2])
