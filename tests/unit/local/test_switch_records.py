"""What a conductor leaves on disk, and what its successor makes of it."""

from pathlib import Path

import pytest

from tests.unit.traffic.conducting import ADVANCE, NEW, OLD, Scene, ScriptedJudges
from tidegate.local.state_folder import StateFolder
from tidegate.local.supervision import Supervisor
from tidegate.local.switch_folder import SwitchFolder
from tidegate.local.switch_records import SwitchRecords
from tidegate.local.switch_runs import SwitchRuns
from tidegate.traffic.conductor_parts import Position, Snapshot
from tidegate.traffic.router import LatencyBin, UserCounters
from tidegate.traffic.switch_documents import Decision, Ending, SwitchRequest
from tidegate.traffic.switch_report import SwitchReport

pytestmark = pytest.mark.unit


@pytest.fixture
def folder(tmp_path: Path) -> SwitchFolder:
    return SwitchFolder(StateFolder(tmp_path), "digits")


@pytest.fixture
def records(folder: SwitchFolder) -> SwitchRecords:
    run = folder.runs / "001"
    run.mkdir(parents=True)
    return SwitchRecords(run, folder)


def request() -> SwitchRequest:
    return Scene(ScriptedJudges([ADVANCE])).request


def test_a_request_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Routes are compared with those in force, so nothing may change on the way."""
    path = tmp_path / "request.json"
    request().write(path)

    assert SwitchRequest.load(path) == request()


def test_a_successor_goes_on_in_the_stage_that_was_shown_last(records: SwitchRecords) -> None:
    assert records.position() == Position()
    report = SwitchReport(request(), records, lambda: 0.0, Position(candidate_requests=700))
    report.begin(1)
    report.show("running", "half way")

    assert records.position() == Position(stage=1, resumed=True, candidate_requests=700)


def test_a_successor_knows_what_was_decided(records: SwitchRecords) -> None:
    SwitchReport(request(), records, lambda: 0.0, Position()).show("running", "begun")
    decision = Decision(ending=Ending.LEASE_LOST, reason="alone", was_shown=False, stage=1)
    records.keep_decision(decision)

    records.give_up("a defect")

    assert records.position().decision == decision


def test_a_conductor_that_fails_has_its_successor_turn_back(records: SwitchRecords) -> None:
    records.give_up("a defect")
    SwitchReport(request(), records, lambda: 0.0, Position()).show("running", "begun")

    decision = records.position().decision
    assert decision is not None
    assert (decision.ending, decision.was_shown) == (Ending.TURNED_BACK, False)


def test_what_users_met_before_the_move_is_kept(records: SwitchRecords) -> None:
    counters = UserCounters(10, 1, 0, (LatencyBin(0.001, 0.0001, 9),))
    records.keep_reference([Snapshot(1.5, counters)])

    assert records.reference() == (Snapshot(1.5, counters),)


def test_the_journal_goes_on_over_runs_and_processes(folder: SwitchFolder) -> None:
    folder.note("moved", "all traffic goes there", user="night-shift")
    SwitchFolder(StateFolder(folder.root.parent.parent), "digits").note("drained", "nothing left")

    events = folder.events()
    assert [each["event"] for each in events] == ["moved", "drained"]
    assert events[0]["user"] == "night-shift"


def test_a_run_without_outcome_is_unfinished_even_without_a_process(
    tmp_path: Path, folder: SwitchFolder, records: SwitchRecords
) -> None:
    state = StateFolder(tmp_path)
    runs = SwitchRuns(state, Supervisor(state))
    assert runs.unfinished("digits") is None  # killed before it had written what it wants
    request().write(folder.runs / "001" / "request.json")
    assert runs.unfinished("digits") is not None
    decision = Decision(ending=Ending.TURNED_BACK, reason="worse", was_shown=True, stage=1)
    report = SwitchReport(request(), records, lambda: 0.0, Position())
    records.keep_reference([Snapshot(1.5, UserCounters(10, 1, 0, ()))])
    records.end(report.outcome(decision, None))

    assert runs.unfinished("digits") is None
    assert records.reference() == ()
    assert runs.standing_turn_back("digits", NEW, None) is not None
    assert runs.standing_turn_back("digits", NEW, "another reason") is None
    assert runs.standing_turn_back("digits", OLD, None) is None
