"""How a switch begins, and how it ends where routes may not or cannot be written."""

import asyncio
import math
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.cluster.api_server import NAMESPACE, ApiServer, status
from tests.unit.cluster.examples import GATEWAY, PLAN
from tests.unit.runner.stand_ins import RunnersRouter, environment_of
from tests.unit.runner.waiting import LIMIT_SECONDS, until
from tests.unit.traffic.conducting import BEFORE, TARGET
from tidegate.cluster import names
from tidegate.cluster.errors import ForbiddenError
from tidegate.cluster.leases import Leases
from tidegate.records.switch_run import SwitchRun
from tidegate.records.switches import SwitchRecords
from tidegate.runner import careful_router, switch_job, switching
from tidegate.runner.switching import carry_out_switch
from tidegate.traffic import steady_router
from tidegate.traffic.plan import Stage
from tidegate.traffic.router import RouterError
from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.switch_documents import Ending, SwitchOutcome

pytestmark = pytest.mark.unit

FORBIDDEN = 'User "runner" cannot patch resource "httproutes" in the namespace "team-a"'


class GuardedRouter(RunnersRouter):
    """Routes that the account may write so often, and no more until `allowed` is raised."""

    def __init__(self, allowed: int) -> None:
        super().__init__()
        self.allowed = allowed
        self.is_seen = True

    async def apply(self, routes: ServiceRoutes, replacing: ServiceRoutes | None = None) -> None:
        if len(self.applied) >= self.allowed:
            raise RouterError(FORBIDDEN) from ForbiddenError(FORBIDDEN)
        await super().apply(routes, replacing)

    async def active_requests(self, revision: str) -> int:
        if not self.is_seen:
            raise RouterError("envoy-2 does not answer")
        return await super().active_requests(revision)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> ApiServer:
    monkeypatch.setattr(careful_router, "REFUSED_SECONDS", 0.3)
    monkeypatch.setattr(switching, "RETRY_SECONDS", 0.05)
    return ApiServer()


@pytest.fixture
async def run(api: ApiServer) -> SwitchRun:
    return await SwitchRecords(api.cluster()).submit("digits", PLAN, GATEWAY, "ada")


def carry_out(
    api: ApiServer, run: SwitchRun, router: GuardedRouter, monkeypatch: pytest.MonkeyPatch
) -> "asyncio.Task[None]":
    monkeypatch.setattr(switching, "GatewayApiRouter", lambda *_: router)
    return asyncio.create_task(carry_out_switch(api.cluster(), environment_of(run.name)))


async def outcome_of(api: ApiServer, run: SwitchRun) -> SwitchOutcome:
    found = await SwitchRecords(api.cluster()).run(run.name)
    assert found is not None and found.outcome is not None
    return found.outcome


async def test_a_switch_that_may_not_write_ends_and_has_touched_nothing(
    api: ApiServer, run: SwitchRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = GuardedRouter(allowed=0)

    async with asyncio.timeout(LIMIT_SECONDS):
        await carry_out(api, run, router, monkeypatch)

    outcome = await outcome_of(api, run)
    assert (outcome.ending, outcome.reason) == (Ending.TURNED_BACK, FORBIDDEN)
    assert not outcome.was_shown
    assert router.routes == BEFORE and router.applied == []


async def test_a_switch_cancelled_before_its_pod_began_moves_nothing(
    api: ApiServer, run: SwitchRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = GuardedRouter(allowed=10)
    await Leases(api.cluster()).ask_to_cancel(run.name)

    async with asyncio.timeout(LIMIT_SECONDS):
        await carry_out(api, run, router, monkeypatch)

    assert (await outcome_of(api, run)).ending is Ending.CANCELLED
    assert router.routes == BEFORE and router.applied == []


async def test_traffic_that_has_moved_goes_back_as_soon_as_it_may(
    api: ApiServer, run: SwitchRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = GuardedRouter(allowed=1)
    router.requests_a_look = 0
    task = carry_out(api, run, router, monkeypatch)
    await until(lambda: len(router.applied) == 1)
    router.files_are_whole = False  # edited by hand, so they are written again
    records = SwitchRecords(api.cluster())

    async def goes_back() -> bool:
        found = await records.run(run.name)
        return found is not None and found.decision is not None

    await until(goes_back)
    assert not task.done()
    router.allowed = 10
    async with asyncio.timeout(LIMIT_SECONDS):
        await task

    outcome = await outcome_of(api, run)
    assert (outcome.ending, outcome.reason) == (Ending.TURNED_BACK, FORBIDDEN)


async def test_traffic_goes_back_after_a_silence_that_outlasts_every_patience(
    api: ApiServer, run: SwitchRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be written meanwhile, what was decided included."""
    monkeypatch.setattr(steady_router, "PATIENCE_SECONDS", 0.3)
    router = GuardedRouter(allowed=10)
    router.requests_a_look = 0
    task = carry_out(api, run, router, monkeypatch)
    await until(lambda: len(router.applied) == 1)

    api.is_down, router.silent_until = True, math.inf
    # Its lease is looked at once a second; what it has decided it tries to write far more often.
    await until(lambda: api.unanswered >= 12)
    assert not task.done()
    api.is_down, router.silent_until = False, 0.0
    async with asyncio.timeout(LIMIT_SECONDS):
        await task

    outcome = await outcome_of(api, run)
    assert outcome.ending is Ending.TURNED_BACK
    assert "the router was silent" in outcome.reason
    assert router.routes == BEFORE


@pytest.mark.parametrize("is_seen", [True, False])
async def test_a_revision_whose_drain_was_not_seen_stays_pinned(
    api: ApiServer, is_seen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = replace(PLAN, stages=(Stage("final", TARGET, 0.0, 0.0),), drain_seconds=0.5)
    run = await SwitchRecords(api.cluster()).submit("digits", at_once, GATEWAY, "ada")
    router = GuardedRouter(allowed=10)
    router.is_seen = is_seen

    async with asyncio.timeout(LIMIT_SECONDS):
        await carry_out(api, run, router, monkeypatch)

    outcome = await outcome_of(api, run)
    assert outcome.ending is Ending.ADVANCED
    assert (outcome.drained is not None) is is_seen
    assert router.released == (["digits"] if is_seen else [])


@pytest.mark.parametrize(("code", "is_tried_again"), [(403, False), (503, True)])
def test_a_runner_that_may_not_read_its_record_is_not_tried_again(
    code: int,
    is_tried_again: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    api = ApiServer(refusals=[(code, status(code, "Forbidden", "cannot get configmaps"))])
    monkeypatch.setattr(switch_job, "connect_as_pod", lambda _: api.cluster())
    monkeypatch.setenv(names.NAMESPACE_VARIABLE, NAMESPACE)
    monkeypatch.setenv(names.RUN_VARIABLE, "switch.digits.001")
    monkeypatch.setenv(names.WORK_FOLDER_VARIABLE, str(tmp_path))

    assert (switch_job.main() != 0) is is_tried_again
    message = tmp_path / names.TERMINATION_MESSAGE
    assert message.exists() is not is_tried_again
    if not is_tried_again:
        assert "cannot get configmaps" in message.read_text(encoding="utf-8")
    assert "cannot get configmaps" in capsys.readouterr().err
