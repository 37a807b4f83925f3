"""Tries are paid for when their load begins, once each, wherever they run."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.gate.bucket_fake import bucket_in_environment
from tests.unit.gate.builders import make_profile, make_request
from tests.unit.gate.kserve_fake import FakeServer
from tidegate.gate.attempts import (
    Attempt,
    attempt_records,
    attempts_in,
    attempts_of,
    begin_attempt,
    next_attempt,
    record_attempt,
)
from tidegate.gate.clock import utc_now
from tidegate.gate.evidence_store import LogMovedError, open_store
from tidegate.gate.request import GateRequest
from tidegate.gate.verdict import Outcome

pytestmark = pytest.mark.unit


@pytest.fixture(params=["folder", "bucket"])
def request_(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[GateRequest]:
    server = FakeServer(http_target="127.0.0.1:8000", grpc_target="127.0.0.1:8001")
    if request.param == "folder":
        yield make_request(tmp_path, server)
        return
    monkeypatch = request.getfixturevalue("monkeypatch")
    with bucket_in_environment(monkeypatch):
        yield make_request(tmp_path, server, evidence_dir="s3://evidence/team")


def number_of_next(request: GateRequest) -> int:
    return next_attempt(
        attempt_records(
            request.evidence_dir, request.environment, request.revision, request.profile.digest
        )
    )


def end(request: GateRequest, outcome: Outcome, judged: int, started: str | None) -> None:
    attempt = Attempt(
        attempt=1,
        service=request.service,
        revision=request.revision,
        profile_digest=request.profile.digest,
        request_digest=request.digest,
        outcome=outcome,
        judged_requests=judged,
        at=utc_now(),
        retry_reason=None,
        evidence_path="e.json",
        started=started,
    )
    record_attempt(request.evidence_dir, request.environment, attempt)


def test_a_try_that_was_cut_off_under_load_is_spent(request_: GateRequest) -> None:
    assert number_of_next(request_) == 1
    assert begin_attempt(request_).attempt == 1
    assert number_of_next(request_) == 2  # killed, cancelled, or still running elsewhere
    assert begin_attempt(request_).attempt == 2


def test_a_verdict_on_load_leaves_the_try_spent(request_: GateRequest) -> None:
    for number, outcome in enumerate((Outcome.INCONCLUSIVE, Outcome.INVALID), start=1):
        start = begin_attempt(request_)
        assert start.attempt == number
        end(request_, outcome, 100, start.start_id)
    assert number_of_next(request_) == 3
    found = attempts_of(
        request_.evidence_dir, request_.environment, request_.revision, request_.profile.digest
    )
    assert [each.outcome for each in found] == [Outcome.INCONCLUSIVE, Outcome.INVALID]


def test_what_judged_no_request_costs_nothing(request_: GateRequest) -> None:
    end(request_, Outcome.FAIL, 0, None)  # wrong golden answers: no load began
    assert number_of_next(request_) == 1
    end(request_, Outcome.INVALID, 0, begin_attempt(request_).start_id)
    assert number_of_next(request_) == 1


def test_a_pass_ends_the_series(request_: GateRequest) -> None:
    begin_attempt(request_)
    end(request_, Outcome.PASS, 100, begin_attempt(request_).start_id)
    assert number_of_next(request_) == 1


def test_other_revisions_and_profiles_have_their_own_numbers(request_: GateRequest) -> None:
    begin_attempt(request_)
    for changes in ({"revision": "doubler-3-0123abcd"}, {"profile": make_profile(seed=2)}):
        assert begin_attempt(request_.model_copy(update=changes)).attempt == 1
    assert begin_attempt(request_).attempt == 2


def test_tries_that_begin_at_once_get_numbers_of_their_own(request_: GateRequest) -> None:
    with ThreadPoolExecutor(6) as machines:
        starts = list(machines.map(begin_attempt, [request_] * 12))
    assert sorted(start.attempt for start in starts) == list(range(1, 13))
    assert number_of_next(request_) == 13


def test_a_line_is_only_added_to_the_log_that_was_read(request_: GateRequest) -> None:
    store = open_store(request_.evidence_dir)
    store.append("log", "first", after=0)
    with pytest.raises(LogMovedError):
        store.append("log", "second", after=0)
    store.append("log", "second", after=1)
    assert store.lines("log") == ["first", "second"]


def test_the_log_of_an_environment_names_what_ended(request_: GateRequest) -> None:
    begin_attempt(request_)
    end(request_, Outcome.FAIL, 100, begin_attempt(request_).start_id)
    [ended] = attempts_in(open_store(request_.evidence_dir).lines("attempts-test"))
    assert ended.outcome is Outcome.FAIL
