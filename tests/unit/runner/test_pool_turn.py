"""Turns on an accelerator pool, with an API server in memory and a clock that the test moves."""

from collections.abc import Awaitable, Callable

import pytest

from tests.unit.cluster.api_server import ApiServer
from tidegate.cluster import names
from tidegate.cluster.leases import STALE_SECONDS, Leases, LeaseState
from tidegate.runner.pool_turn import PoolTurn

pytestmark = pytest.mark.unit

POOL = "l4"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class SlowLeases(Leases):
    """Something happens between a look at a lease and its taking."""

    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def take(self, name: str, holder: str, stale: LeaseState | None = None) -> bool:
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            await happens()
        return await super().take(name, holder, stale)


async def test_of_two_who_wait_for_a_gate_that_is_gone_one_begins() -> None:
    api, clock = ApiServer(), Clock()
    name = names.accelerator_pool_lease(POOL)
    slow = SlowLeases(api.cluster())
    await slow.take(name, "team-a/gate-1/pod/1")
    first = PoolTurn(Leases(api.cluster()), POOL, "team-a/gate-2/pod/1", clock)
    second = PoolTurn(slow, POOL, "team-b/gate-3/pod/1", clock)
    assert not await first.take()
    assert not await second.take()

    clock.now = STALE_SECONDS + 1
    took: list[bool] = []

    async def first_takes() -> None:
        took.append(await first.take())

    slow.meanwhile = first_takes
    assert not await second.take()

    assert took == [True]
    state = await slow.state(name)
    assert state is not None and state.holder == "team-a/gate-2/pod/1"
    assert not await second.take(), "the lease is fresh again"
    assert second.held_by == "team-a/gate-2 holds the accelerator pool l4"
