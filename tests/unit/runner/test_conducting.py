"""What stands between a conductor and the API server."""

import asyncio
from functools import partial

import pytest

from tests.unit.cluster.api_server import ApiServer
from tests.unit.cluster.examples import GATEWAY, PLAN
from tests.unit.runner.waiting import LIMIT_SECONDS, until
from tests.unit.traffic.conducting import BEFORE, NEW, OLD, TARGET, FakeRouter
from tidegate.cluster.errors import ForbiddenError, UnreachableError
from tidegate.cluster.leases import LeaseAge, Leases
from tidegate.records.switch_run import SwitchRun
from tidegate.records.switches import SwitchRecords
from tidegate.runner import wanted as wanted_module
from tidegate.runner.buffered_records import BufferedRecords
from tidegate.runner.careful_router import REFUSED_SECONDS, CarefulRouter, NotAllowedError
from tidegate.runner.wanted import AnotherRunnerError, WantedRun
from tidegate.traffic.conductor_parts import Snapshot
from tidegate.traffic.router import RouterError, UserCounters
from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.switch_documents import Decision, Ending, StageProgress, SwitchProgress

pytestmark = pytest.mark.unit

SERVICE = "digits"
DECISION = Decision(ending=Ending.TURNED_BACK, reason="worse", was_shown=True, stage=2)


@pytest.fixture
def api() -> ApiServer:
    return ApiServer()


@pytest.fixture
async def run(api: ApiServer) -> SwitchRun:
    return await SwitchRecords(api.cluster()).submit(SERVICE, PLAN, GATEWAY, "ada")


def progress(stage: int) -> SwitchProgress:
    return SwitchProgress(
        service=SERVICE,
        run=1,
        from_revision=OLD,
        to_revision=NEW,
        state="running",
        stage=StageProgress(
            index=stage,
            of=3,
            kind="shift",
            weights={},
            started_at="now",
            minimum_seconds=1,
            limit_seconds=2,
            seconds_in=0,
        ),
        judgement=None,
        message=f"stage {stage}",
    )


async def test_what_was_decided_is_written_before_anything_moves(
    api: ApiServer, run: SwitchRun
) -> None:
    records = SwitchRecords(api.cluster())
    buffered = BufferedRecords(records, SERVICE, run.name, ())
    inner = FakeRouter()
    router = CarefulRouter(inner, buffered.flush)
    buffered.show(progress(2))
    buffered.keep_decision(DECISION)
    buffered.keep_reference([Snapshot(1.0, UserCounters(5, 0, 0, ()))])
    buffered.note("turningBack", "worse")

    api.is_down = True
    with pytest.raises(RouterError, match="does not answer"):
        await router.apply(TARGET, replacing=BEFORE)
    assert inner.applied == []

    api.is_down = False
    await router.apply(TARGET, replacing=BEFORE)
    assert len(inner.applied) == 1
    found = await records.run(run.name)
    assert found is not None
    assert (found.position.stage, found.position.decision) == (1, DECISION)
    assert await records.reference(run.name) == buffered.reference()
    assert (await records.events(SERVICE))[-1]["event"] == "turningBack"


async def test_what_is_written_is_written_once(api: ApiServer, run: SwitchRun) -> None:
    buffered = BufferedRecords(SwitchRecords(api.cluster()), SERVICE, run.name, ())
    buffered.show(progress(1))
    buffered.note("stage", "one")
    await buffered.flush()
    asked = len(api.requests)

    await buffered.flush()

    assert len(api.requests) == asked


async def test_a_reference_that_was_not_written_is_written_later(
    api: ApiServer, run: SwitchRun
) -> None:
    records = SwitchRecords(api.cluster())
    buffered = BufferedRecords(records, SERVICE, run.name, ())
    before = (Snapshot(1.0, UserCounters(5, 0, 0, ())),)
    buffered.keep_reference(before)
    api.is_down = True
    with pytest.raises(UnreachableError):
        await buffered.flush()

    api.is_down = False
    await buffered.flush()

    assert await records.reference(run.name) == before


async def test_a_run_is_wanted_until_it_is_cancelled(api: ApiServer, run: SwitchRun) -> None:
    leases = Leases(api.cluster())
    wanted = WantedRun(leases, run.name, "runner-1", lease_seconds=60)
    async with wanted.watched():
        await wanted.check_holder()
        assert wanted.stop_reason() is None
        await leases.ask_to_cancel(run.name)
        await wanted.check_holder()
        assert wanted.stop_reason() == "cancelled"


async def test_a_run_cancelled_before_its_pod_began_is_not_wanted(
    api: ApiServer, run: SwitchRun
) -> None:
    leases = Leases(api.cluster())
    await leases.ask_to_cancel(run.name)
    wanted = WantedRun(leases, run.name, "runner-1", lease_seconds=60)
    async with wanted.watched():
        assert wanted.stop_reason() == "cancelled"


async def test_a_lease_that_nobody_renews_is_lost(
    api: ApiServer, run: SwitchRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(wanted_module, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(wanted_module, "LeaseAge", partial(LeaseAge, lambda: now))
    leases = Leases(api.cluster())
    wanted = WantedRun(leases, run.name, "runner-1", lease_seconds=60)
    async with wanted.watched():
        for _ in range(5):
            now += 50
            await leases.renew(run.name, SERVICE)
            await wanted.check_holder()
            assert wanted.stop_reason() is None
        now += 61
        await until(lambda: wanted.stop_reason() is not None)
        assert wanted.stop_reason() == "leaseLost"


async def test_time_without_an_api_server_does_not_count(
    api: ApiServer, run: SwitchRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(wanted_module, "LeaseAge", partial(LeaseAge, lambda: now))
    # No look but those that are made here.
    monkeypatch.setattr(wanted_module, "POLL_SECONDS", 3600)
    wanted = WantedRun(Leases(api.cluster()), run.name, "runner-1", lease_seconds=60)
    async with wanted.watched():
        api.is_down = True
        now += 1000
        with pytest.raises(UnreachableError):
            await wanted.check_holder()
        assert wanted.stop_reason() is None
        api.is_down = False
        now += 1
        await wanted.check_holder()
        assert wanted.stop_reason() is None


async def test_a_second_process_on_the_same_run_ends_the_first(
    api: ApiServer, run: SwitchRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wanted_module, "POLL_SECONDS", 0.02)
    leases = Leases(api.cluster())
    first = WantedRun(leases, run.name, "runner-1", lease_seconds=60)
    second = WantedRun(leases, run.name, "runner-2", lease_seconds=60)

    async def work() -> None:
        async with first.watched():
            await asyncio.sleep(3600)

    working = asyncio.create_task(work())

    async def is_held() -> bool:
        state = await leases.state(run.name)
        return state is not None and state.holder == "runner-1"

    await until(is_held)
    async with second.watched(), asyncio.timeout(LIMIT_SECONDS):
        with pytest.raises(asyncio.CancelledError):
            await working
        with pytest.raises(AnotherRunnerError):
            await first.check_holder()
        await second.check_holder()


FORBIDDEN = 'User "runner" cannot patch resource "httproutes"'


class RefusingRouter(FakeRouter):
    """Its account may not write routes; or its API server is silent, while `is_silent`."""

    is_silent = False

    async def apply(self, routes: ServiceRoutes, replacing: ServiceRoutes | None = None) -> None:
        if self.is_silent:
            raise RouterError("no answer") from UnreachableError("no answer")
        raise RouterError(FORBIDDEN) from ForbiddenError(FORBIDDEN)

    async def active_requests(self, revision: str) -> int:
        raise RouterError(FORBIDDEN) from ForbiddenError(FORBIDDEN)


class Refused:
    """A careful router before a refusing one, at a time that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0
        self.inner = RefusingRouter()
        self.router = CarefulRouter(self.inner, self._nothing, lambda: self.now)

    async def error(self) -> Exception:
        with pytest.raises((RouterError, NotAllowedError)) as caught:
            await self.router.apply(TARGET, replacing=BEFORE)
        return caught.value

    async def _nothing(self) -> None:
        pass


async def test_a_refusal_that_stands_is_told_from_silence() -> None:
    refused = Refused()

    assert isinstance(await refused.error(), RouterError), "roles may not be loaded yet"
    refused.now += REFUSED_SECONDS
    error = await refused.error()

    assert isinstance(error, NotAllowedError)
    assert str(error) == FORBIDDEN
    assert not refused.router.may_have_moved


async def test_silence_is_no_refusal_however_long_it_lasts() -> None:
    refused = Refused()
    refused.inner.is_silent = True

    await refused.error()
    refused.now += 2 * REFUSED_SECONDS

    assert isinstance(await refused.error(), RouterError)
    assert refused.router.may_have_moved, "the change may have been made all the same"


async def test_a_refusal_turns_no_switch_back_that_only_drains_yet() -> None:
    refused = Refused()

    for _ in range(2):
        with pytest.raises(RouterError):
            await refused.router.active_requests(OLD)
        refused.now += 2 * REFUSED_SECONDS
