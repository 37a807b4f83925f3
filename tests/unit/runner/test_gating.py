"""A gate's run inside its pod: a real gate against a small server, an API server in memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.unit.cluster.api_server import NAMESPACE, ApiServer
from tests.unit.gate.builders import make_profile, make_request
from tests.unit.gate.kserve_fake import FakeServer, serving
from tests.unit.runner.waiting import until
from tidegate.cluster import names
from tidegate.cluster.errors import UnreachableError
from tidegate.cluster.leases import Leases
from tidegate.gate.request import GateRequest
from tidegate.gate.runner import EXIT_STOPPED
from tidegate.gate.verdict import Outcome
from tidegate.records.gate_documents import VerdictNote
from tidegate.records.gates import GateRecords, GateRun
from tidegate.runner import beginning, pool_turn
from tidegate.runner.environment import RunnerEnvironment
from tidegate.runner.gating import Gating

pytestmark = pytest.mark.unit

POOL = "l4"


@pytest.fixture(scope="module")
def server() -> Iterator[FakeServer]:
    with serving(FakeServer()) as running:
        yield running


@pytest.fixture
def api() -> ApiServer:
    return ApiServer()


def environment(
    run: GateRun, folder: Path, pool: str | None = None, turns: str = NAMESPACE
) -> RunnerEnvironment:
    return RunnerEnvironment(
        namespace=NAMESPACE,
        run=run.name,
        holder=f"{names.gate_job(run.revision, run.number)}/pod/1",
        work_folder=folder / "work",
        accelerator_pool=pool,
        gate_lease_namespace=turns,
    )


def request_for(server: FakeServer, folder: Path, **changes: object) -> GateRequest:
    paths = {"golden_path": "golden.npz", "lock_path": "gate.lock", "lease_seconds": 30.0}
    return make_request(folder, server, **(paths | changes))


async def submitted(api: ApiServer, request: GateRequest, folder: Path) -> GateRun:
    records = GateRecords(api.cluster())
    await records.ensure(request.service, request.revision)
    return await records.submit(request, (folder / "golden.npz").read_bytes())


async def has_progress(records: GateRecords, run: GateRun) -> bool:
    found = await records.run(run.name)
    return found is not None and found.progress is not None


@contextlib.asynccontextmanager
async def carried_out(
    api: ApiServer, where: RunnerEnvironment
) -> AsyncIterator["asyncio.Task[int]"]:
    task = asyncio.create_task(Gating(api.cluster(), where).carry_out())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_verdict_is_the_termination_message(
    api: ApiServer, server: FakeServer, tmp_path: Path
) -> None:
    request = request_for(server, tmp_path)
    run = await submitted(api, request, tmp_path)
    where = environment(run, tmp_path, POOL)

    code = await Gating(api.cluster(), where).carry_out()

    message = (where.work_folder / names.TERMINATION_MESSAGE).read_text()
    note = VerdictNote.model_validate_json(message)
    # Which one it is, a busy machine may decide.
    assert code == note.outcome.exit_code
    assert note.request_digest == request.digest
    latest = await GateRecords(api.cluster()).latest(request.revision)
    assert latest is not None and latest.verdict == note
    assert latest.progress is not None and latest.progress.event == "verdict"
    pool = await Leases(api.cluster()).state(names.accelerator_pool_lease(POOL))
    assert pool is not None and pool.holder is None


@pytest.mark.parametrize("turns", [NAMESPACE, "gates"])
async def test_a_gate_waits_for_its_pool_and_says_for_whom(
    turns: str, api: ApiServer, server: FakeServer, tmp_path: Path
) -> None:
    """Also for a gate of another namespace, where all take turns in a third one."""
    run = await submitted(api, request_for(server, tmp_path), tmp_path)
    leases, name = Leases(api.cluster(), turns), names.accelerator_pool_lease(POOL)
    other = "team-b/gate-0ther/pod/1"
    await leases.take(name, other)
    records = GateRecords(api.cluster())

    async with carried_out(api, environment(run, tmp_path, POOL, turns)) as task:
        await until(lambda: has_progress(records, run))
        found = await records.run(run.name)
        assert found is not None and found.progress is not None
        assert found.progress.message == "waiting: team-b/gate-0ther holds the accelerator pool l4"
        await leases.give_back(name, other)
        assert await asyncio.wait_for(task, 40) < EXIT_STOPPED


async def test_a_gate_that_begins_as_the_api_server_restarts_waits_for_it(
    api: ApiServer, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beginning, "RETRY_SECONDS", 0.01)
    long = make_profile(duration_seconds=60)
    run = await submitted(api, request_for(server, tmp_path, profile=long), tmp_path)
    records, silences, hold = GateRecords(api.cluster()), 2, Leases.hold

    async def holds(leases: Leases, name: str, holder: str) -> None:
        nonlocal silences
        silences -= 1
        if silences >= 0:
            raise UnreachableError("https://api.test:6443 does not answer")
        await hold(leases, name, holder)

    monkeypatch.setattr(Leases, "hold", holds)
    api.refusals = [(503, "starting"), (503, "starting")]

    async with carried_out(api, environment(run, tmp_path)) as task:
        await until(lambda: not api.refusals)
        await until(lambda: has_progress(records, run))
        await Leases(api.cluster()).ask_to_cancel(run.name)
        assert await asyncio.wait_for(task, 30) == EXIT_STOPPED


async def test_a_gate_that_nobody_answers_says_so(
    api: ApiServer, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beginning, "SILENCE_SECONDS", 0.0)
    run = await submitted(api, request_for(server, tmp_path), tmp_path)
    api.is_down = True

    with pytest.raises(UnreachableError, match="does not answer"):
        await Gating(api.cluster(), environment(run, tmp_path)).carry_out()


async def test_a_cancelled_gate_has_no_verdict(
    api: ApiServer, server: FakeServer, tmp_path: Path
) -> None:
    long = make_profile(duration_seconds=60)
    run = await submitted(api, request_for(server, tmp_path, profile=long), tmp_path)
    where = environment(run, tmp_path)
    records = GateRecords(api.cluster())

    async with carried_out(api, where) as task:
        await until(lambda: has_progress(records, run))
        await Leases(api.cluster()).ask_to_cancel(run.name)
        assert await asyncio.wait_for(task, 30) == EXIT_STOPPED

    assert not (where.work_folder / names.TERMINATION_MESSAGE).exists()
    found = await records.run(run.name)
    assert found is not None and found.verdict is None
    assert found.progress is not None and found.progress.event == "cancelled"


async def test_a_gate_whose_pool_another_has_ends_without_a_verdict(
    api: ApiServer, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_turn, "RENEW_SECONDS", 0.2)
    long = make_profile(duration_seconds=60)
    run = await submitted(api, request_for(server, tmp_path, profile=long), tmp_path)
    records, pool = GateRecords(api.cluster()), names.accelerator_pool_lease(POOL)

    async with carried_out(api, environment(run, tmp_path, POOL)) as task:
        await until(lambda: has_progress(records, run))
        other = {"holderIdentity": "team-b/gate-0ther/pod/1"}
        api.put("leases", {**api.get("leases", pool), "spec": other})
        assert await asyncio.wait_for(task, 30) == EXIT_STOPPED

    found = await records.run(run.name)
    assert found is not None and found.verdict is None and found.progress is not None
    assert found.progress.message == (
        "another gate has taken the accelerator pool l4; there is no verdict"
    )
    assert api.get("leases", pool)["spec"] == other


async def test_a_pod_that_is_ended_leaves_no_verdict_and_no_child(
    api: ApiServer, server: FakeServer, tmp_path: Path
) -> None:
    long = make_profile(duration_seconds=60)
    run = await submitted(api, request_for(server, tmp_path, profile=long), tmp_path)
    where = environment(run, tmp_path, POOL)

    async with carried_out(api, where) as task:
        await until((where.work_folder / "run" / "journal.jsonl").exists)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert not (where.work_folder / names.TERMINATION_MESSAGE).exists()
    pool = await Leases(api.cluster()).state(names.accelerator_pool_lease(POOL))
    assert pool is not None and pool.holder is None


async def test_a_run_that_has_its_verdict_says_it_again(
    api: ApiServer, server: FakeServer, tmp_path: Path
) -> None:
    request = request_for(server, tmp_path)
    run = await submitted(api, request, tmp_path)
    note = VerdictNote(
        outcome=Outcome.FAIL,
        summary="p95 is 90 ms",
        request_digest=request.digest,
        verdict_digest="sha256:" + "1" * 64,
    )
    await GateRecords(api.cluster()).end(run.name, note)
    where = environment(run, tmp_path)
    where.work_folder.mkdir()

    assert await Gating(api.cluster(), where).carry_out() == Outcome.FAIL.exit_code
    message = (where.work_folder / names.TERMINATION_MESSAGE).read_text()
    assert VerdictNote.model_validate_json(message) == note
