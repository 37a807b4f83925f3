import pytest

from tests.unit.cluster.api_server import ApiServer
from tidegate.cluster.leases import LeaseAge, Leases

pytestmark = pytest.mark.unit

RUN, POOL = "switch.digits.001", "accelerator-pool.l4"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def is_quicker(server: ApiServer, holder: str) -> None:
    """Just before the next write, `holder` takes the pool."""

    def take(plural: str, name: str) -> None:
        server.before_write = lambda plural, name: None
        lease = server.get("leases", POOL)
        server.put("leases", {**lease, "spec": {"holderIdentity": holder}})

    server.before_write = take


@pytest.fixture
def leases() -> Leases:
    return Leases(ApiServer().cluster())


async def test_a_renewed_lease_changes_and_keeps_its_holder(leases: Leases) -> None:
    await leases.renew(RUN, "digits")
    await leases.hold(RUN, "runner-1")
    before = await leases.state(RUN)
    await leases.renew(RUN, "digits")
    after = await leases.state(RUN)

    assert before is not None and after is not None
    assert before.renewed != after.renewed
    assert after.holder == "runner-1" and not after.is_cancelled


async def test_a_cancelled_lease_stays_cancelled(leases: Leases) -> None:
    await leases.renew(RUN, "digits")
    await leases.ask_to_cancel(RUN)
    await leases.renew(RUN, "digits")

    state = await leases.state(RUN)
    assert state is not None and state.is_cancelled


async def test_one_holds_a_pool_until_it_gives_it_back(leases: Leases) -> None:
    assert await leases.take(POOL, "gate-1")
    assert not await leases.take(POOL, "gate-2")
    assert await leases.take(POOL, "gate-1")

    await leases.give_back(POOL, "gate-2")
    assert not await leases.take(POOL, "gate-2")
    await leases.give_back(POOL, "gate-1")
    assert await leases.take(POOL, "gate-2")


async def test_a_stale_holder_is_replaced_once(leases: Leases) -> None:
    assert await leases.take(POOL, "gate-1")
    stale = await leases.state(POOL)

    assert await leases.take(POOL, "gate-2", stale)
    assert not await leases.take(POOL, "gate-3", stale), "it was found stale under gate-1"
    assert not await leases.take(POOL, "gate-1")


async def test_a_holder_that_renews_after_all_is_not_stale(leases: Leases) -> None:
    assert await leases.take(POOL, "gate-1")
    stale = await leases.state(POOL)
    assert await leases.take(POOL, "gate-1")

    assert not await leases.take(POOL, "gate-2", stale)


@pytest.mark.parametrize(
    ("holder", "goes"),
    [
        (None, True),
        ("team-a/gate-1", True),
        ("team-b/gate-1", False),
        ("team-a2/gate-1", False),
    ],
)
async def test_only_a_lease_that_no_other_holds_is_discarded(
    leases: Leases, holder: str | None, goes: bool
) -> None:
    await leases.take(POOL, holder or "gate-0")
    if holder is None:
        await leases.give_back(POOL, "gate-0")

    await leases.discard(POOL, own="team-a/")

    state = await leases.state(POOL)
    assert (state is None) is goes
    assert state is None or state.holder == holder


async def test_a_lease_that_is_taken_meanwhile_is_not_discarded() -> None:
    server = ApiServer()
    leases = Leases(server.cluster())
    await leases.take(POOL, "team-a/gate-1")
    await leases.give_back(POOL, "team-a/gate-1")

    is_quicker(server, "team-b/gate-1")
    await leases.discard(POOL, own="team-a/")

    state = await leases.state(POOL)
    assert state is not None and state.holder == "team-b/gate-1"


async def test_of_two_who_take_at_once_one_is_told_no() -> None:
    server = ApiServer()
    leases = Leases(server.cluster())
    await leases.take(POOL, "gate-1")
    await leases.give_back(POOL, "gate-1")

    is_quicker(server, "gate-3")
    assert not await leases.take(POOL, "gate-2")


def test_age_counts_only_while_the_server_answers() -> None:
    clock = Clock()
    age = LeaseAge(clock)
    age.observed("one")
    clock.now = 10
    age.observed("one")
    assert age.seconds == 10

    clock.now = 100
    age.missed()
    clock.now = 102
    age.observed("one")
    assert age.seconds == 12

    age.observed("two")
    assert age.seconds == 0


def test_a_lease_that_is_not_there_grows_old_too() -> None:
    clock = Clock()
    age = LeaseAge(clock)
    clock.now = 5
    age.observed(None)

    assert age.seconds == 5
