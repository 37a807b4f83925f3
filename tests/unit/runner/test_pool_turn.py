"""Turns on an accelerator pool, with an API server in memory and a clock that the test moves."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.unit.cluster.api_server import ApiServer
from tidegate.cluster import names
from tidegate.cluster.leases import STALE_SECONDS, Leases, LeaseState
from tidegate.runner import pool_turn
from tidegate.runner.pool_turn import DEADLINE_SECONDS, RENEW_SECONDS, PoolTurn

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


async def test_who_cannot_renew_stops_before_anybody_takes_over() -> None:
    """The API server goes away for the holder alone, and wrote its last renewal late."""
    api, clock = ApiServer(), Clock()
    cut_off = ApiServer(objects=api.objects)
    holder = PoolTurn(Leases(cut_off.cluster()), POOL, "team-a/gate-1/pod/1", clock)
    waiting = PoolTurn(Leases(api.cluster()), POOL, "team-b/gate-2/pod/1", clock)
    assert await holder.take()
    assert not await waiting.take()
    clock.now = RENEW_SECONDS
    assert await holder.renew()

    cut_off.is_down = True
    stopped_at = took_at = None
    while took_at is None and clock.now < 2 * STALE_SECONDS:
        clock.now += 0.5
        assert not await holder.renew()
        if stopped_at is None and holder.why_lost() is not None:
            stopped_at = clock.now
        if await waiting.take():
            took_at = clock.now

    assert stopped_at is not None and took_at is not None
    assert stopped_at <= RENEW_SECONDS + DEADLINE_SECONDS + 0.5
    # For the child to be told, and for its requests to end.
    assert took_at - stopped_at >= 5.0
    assert holder.why_lost() == (
        "the API server has not answered for 20 s, so another gate may take the accelerator pool l4"
    )


async def test_a_renewal_that_hangs_is_given_up_and_tells_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api, clock = ApiServer(), Clock()
    leases = SlowLeases(api.cluster())
    turn = PoolTurn(leases, POOL, "team-a/gate-1/pod/1", clock)
    assert await turn.take()
    monkeypatch.setattr(pool_turn, "ATTEMPT_SECONDS", 0.05)
    leases.meanwhile = asyncio.Event().wait

    assert not await turn.renew()
    assert turn.why_lost() is None

    # The one that was given up reaches the server between the next one's look and its write.
    def arrives(plural: str, name: str) -> None:
        api.before_write = lambda plural, name: None
        api.put(plural, {**api.get(plural, name), "spec": {"holderIdentity": turn_holder}})

    turn_holder = "team-a/gate-1/pod/1"
    api.before_write = arrives
    assert not await turn.renew()
    assert turn.why_lost() is None
    assert await turn.renew()


async def test_who_finds_another_holder_has_lost_the_pool() -> None:
    api, clock = ApiServer(), Clock()
    turn = PoolTurn(Leases(api.cluster()), POOL, "team-a/gate-1/pod/1", clock)
    assert await turn.take()
    lease = api.get("leases", names.accelerator_pool_lease(POOL))
    api.put("leases", {**lease, "spec": {"holderIdentity": "team-b/gate-2/pod/1"}})

    assert not await turn.renew()

    assert turn.why_lost() == "another gate has taken the accelerator pool l4"
