import asyncio

import pytest

from tests.unit.cluster.api_server import ApiServer
from tests.unit.cluster.examples import GATEWAY, OUTCOME, PLAN, gate_request, outcome
from tests.unit.traffic.conducting import BEFORE, NEW, OLD
from tidegate.cluster import names
from tidegate.cluster.kinds import CONFIG_MAP, LEASE
from tidegate.gate.verdict import Outcome
from tidegate.records.drains import DrainRecords, DrainRequest
from tidegate.records.gate_documents import GateProgress, VerdictNote
from tidegate.records.gates import GateRecords
from tidegate.records.switch_journal import KEPT_EVENTS
from tidegate.records.switches import KEPT_RUNS, SwitchRecords
from tidegate.traffic.conductor_parts import Snapshot
from tidegate.traffic.router import LatencyBin, UserCounters
from tidegate.traffic.switch_documents import DrainRecord, Ending, Override

pytestmark = pytest.mark.unit

SERVICE = "digits"


@pytest.fixture
def server() -> ApiServer:
    return ApiServer()


@pytest.fixture
def switches(server: ApiServer) -> SwitchRecords:
    return SwitchRecords(server.cluster())


@pytest.fixture
def gates(server: ApiServer) -> GateRecords:
    return GateRecords(server.cluster())


async def test_a_submitted_switch_is_found_again_with_its_lease(
    server: ApiServer, switches: SwitchRecords
) -> None:
    run = await switches.submit(SERVICE, PLAN, GATEWAY, "ada")

    found = await switches.unfinished(SERVICE)
    assert found == run
    assert run.request.routes_before == BEFORE and run.gateway == GATEWAY
    assert run.request.asks_for(PLAN.stages[-1].routes, PLAN.strategy)
    assert server.names("leases") == [run.name] == ["switch.digits.001"]
    assert (await switches.events(SERVICE))[-1]["user"] == "ada"


async def test_a_run_that_ended_is_finished_and_numbers_go_on(switches: SwitchRecords) -> None:
    first = await switches.submit(SERVICE, PLAN, GATEWAY, "ada")
    await switches.end(first.name, OUTCOME)

    second = await switches.submit(SERVICE, PLAN, GATEWAY, "ada")

    assert second.number == 2
    assert [run.number for run in await switches.runs(SERVICE)] == [2, 1]
    assert (await switches.runs(SERVICE))[1].outcome == OUTCOME


async def test_two_who_submit_at_once_get_two_numbers(switches: SwitchRecords) -> None:
    runs = await asyncio.gather(
        *(switches.submit(SERVICE, PLAN, GATEWAY, f"user-{each}") for each in range(5))
    )

    assert sorted(run.number for run in runs) == [1, 2, 3, 4, 5]
    assert len(await switches.events(SERVICE)) == 5


async def test_old_runs_are_forgotten(server: ApiServer, switches: SwitchRecords) -> None:
    for _ in range(KEPT_RUNS + 3):
        run = await switches.submit(SERVICE, PLAN, GATEWAY, "ada")
        await switches.end(run.name, OUTCOME)

    assert len(await switches.runs(SERVICE)) == KEPT_RUNS
    assert len(server.names("leases")) == KEPT_RUNS
    assert (await switches.latest(SERVICE)) is not None


async def test_what_a_conductor_keeps_comes_back(switches: SwitchRecords) -> None:
    run = await switches.submit(SERVICE, PLAN, GATEWAY, "ada")
    before = (Snapshot(1.5, UserCounters(10, 1, 0, (LatencyBin(0.001, 0.0005, 9),))),)

    await switches.keep_reference(run.name, before)
    assert await switches.reference(run.name) == before

    await switches.end(run.name, OUTCOME)
    assert await switches.reference(run.name) == ()


async def test_a_revision_shown_to_be_worse_stays_so_until_there_is_a_reason(
    switches: SwitchRecords,
) -> None:
    run = await switches.submit(SERVICE, PLAN, GATEWAY, "ada")
    turned_back = outcome(Ending.TURNED_BACK, was_shown=True)
    await switches.end(run.name, turned_back)

    assert await switches.standing_turn_back(SERVICE, NEW, None) == turned_back
    assert await switches.standing_turn_back(SERVICE, NEW, "a node had failed") is None
    assert await switches.standing_turn_back(SERVICE, OLD, None) is None

    await switches.note_served(SERVICE, NEW)
    assert await switches.standing_turn_back(SERVICE, NEW, None) is None


async def test_who_has_served_is_remembered_until_forgotten(switches: SwitchRecords) -> None:
    await switches.note_served(SERVICE, OLD)
    first = (await switches.served(SERVICE))[OLD]
    await switches.note_served(SERVICE, OLD)
    await switches.note_served(SERVICE, NEW)

    assert (await switches.served(SERVICE))[OLD] == first
    await switches.forget_served(SERVICE, OLD)
    assert await switches.served(SERVICE) == {NEW: (await switches.served(SERVICE))[NEW]}
    await switches.forget_served("never-switched", OLD)
    assert await switches.services() == [SERVICE]


async def test_an_override_comes_and_goes(switches: SwitchRecords) -> None:
    override = Override(service=SERVICE, revision=OLD, at="2026-11-23T01:00:00Z", by="ada")

    await switches.clear_override(SERVICE)
    await switches.write_override(override)
    assert await switches.override(SERVICE) == override
    await switches.clear_override(SERVICE)
    assert await switches.override(SERVICE) is None


async def test_the_journal_keeps_the_last_events(switches: SwitchRecords) -> None:
    for number in range(KEPT_EVENTS + 5):
        await switches.note(SERVICE, "noted", f"event {number}")

    events = await switches.events(SERVICE)
    assert len(events) == KEPT_EVENTS
    assert events[-1]["message"] == f"event {KEPT_EVENTS + 4}"


async def test_a_restart_is_counted(switches: SwitchRecords) -> None:
    run = await switches.submit(SERVICE, PLAN, GATEWAY, "ada")

    again = await switches.note_restart(await switches.note_restart(run))

    assert again.restarts == 2
    assert names.switch_job(SERVICE, 1, again.restarts).endswith("-001-r2")


async def test_removing_a_service_leaves_nothing(
    server: ApiServer, switches: SwitchRecords
) -> None:
    await switches.submit(SERVICE, PLAN, GATEWAY, "ada")

    await switches.remove(SERVICE)

    assert server.names("configmaps") == server.names("leases") == []


async def test_a_gate_keeps_its_nonce_until_it_is_removed(gates: GateRecords) -> None:
    made = await gates.ensure(SERVICE, NEW)

    assert await gates.ensure(SERVICE, NEW) == made
    await gates.remove(NEW)
    assert await gates.find(NEW) is None
    assert (await gates.ensure(SERVICE, NEW)).nonce != made.nonce


async def test_a_gates_run_carries_its_request_and_golden_set(gates: GateRecords) -> None:
    request = gate_request(NEW)
    await gates.ensure(SERVICE, NEW)

    run = await gates.submit(request, b"\x93NUMPY\0")

    assert run == await gates.latest(NEW)
    assert run.request.digest == request.digest and run.golden == b"\x93NUMPY\0"
    assert names.gate_job(NEW, run.number).endswith("-001")


async def test_a_verdict_is_kept_in_the_gate(gates: GateRecords) -> None:
    note = VerdictNote(
        outcome=Outcome.PASS,
        summary="p95 9 ms",
        request_digest="sha256:" + "0" * 64,
        verdict_digest="sha256:" + "1" * 64,
    )
    await gates.ensure(SERVICE, NEW)
    run = await gates.submit(gate_request(NEW), b"")
    await gates.show(run.name, GateProgress(at="now", event="progress", message="12 s left"))
    await gates.end(run.name, note)

    latest = await gates.latest(NEW)
    assert latest is not None and latest.verdict == note and latest.progress is not None
    assert not (await gates.ensure(SERVICE, NEW)).has_passed
    await gates.keep_verdict(NEW, note)
    assert [each.has_passed for each in await gates.all()] == [True]


async def test_a_drain_is_found_again_and_removed(server: ApiServer) -> None:
    drains = DrainRecords(server.cluster())
    request = DrainRequest(service=SERVICE, revision=OLD, drain_seconds=30, gateway=GATEWAY)

    run = await drains.submit(request)
    await drains.show(run.name, "3 requests in flight")
    assert (await drains.submit(request)).progress == "3 requests in flight"
    drained = DrainRecord(revision=OLD, seconds=1.5, open_requests={"http": 1})
    await drains.end(run.name, drained)
    found = await drains.run(run.name)
    assert found is not None and found.outcome == drained

    await drains.remove(OLD)
    assert server.names("configmaps") == server.names("leases") == []


async def test_whoever_is_killed_while_submitting_leaves_no_lease_without_a_record(
    server: ApiServer, switches: SwitchRecords, gates: GateRecords
) -> None:
    leases: list[str] = []

    def has_a_record(plural: str, name: str) -> None:
        if plural == LEASE.plural:
            assert name in server.names(CONFIG_MAP.plural)
            leases.append(name)

    server.before_write = has_a_record
    await gates.ensure(SERVICE, NEW)
    await gates.submit(gate_request(NEW), b"")
    await switches.submit(SERVICE, PLAN, GATEWAY, "ada")
    drain = DrainRequest(service=SERVICE, revision=OLD, drain_seconds=30, gateway=GATEWAY)
    await DrainRecords(server.cluster()).submit(drain)

    assert set(leases) == {f"gate.{NEW}.001", "switch.digits.001", f"drain.{OLD}"}


@pytest.mark.parametrize("lines", [0, 3, 200])
def test_a_verdict_fits_into_a_termination_message(lines: int) -> None:
    note = VerdictNote(
        outcome=Outcome.FAIL,
        summary="ü" * 2000,
        reasons=tuple(f"reason {each}: " + "€" * 300 for each in range(lines)),
        mend=tuple(f"remedy {each}: " + "x" * 900 for each in range(lines)),
        evidence_path="s3://bucket/" + "e" * 100,
        report_path="s3://bucket/" + "r" * 100,
        request_digest="sha256:" + "0" * 64,
        verdict_digest="sha256:" + "1" * 64,
    )

    message = note.to_message()

    assert len(message.encode()) <= 4096
    read = VerdictNote.model_validate_json(message)
    assert read.outcome is Outcome.FAIL
    assert (read.evidence_path, read.verdict_digest) == (note.evidence_path, note.verdict_digest)
    if lines == 3:
        assert read.reasons[0].startswith("reason 0")
