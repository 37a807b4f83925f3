"""Evidence and attempts are only ever added to."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.gate.builders import SUBJECT_DIGEST, make_profile, make_request, make_samples
from tests.unit.gate.kserve_fake import FakeServer
from tests.unit.gate.report_examples import example_verdict
from tidegate.gate.attempts import (
    Attempt,
    attempts_of,
    attempts_path,
    record_attempt,
)
from tidegate.gate.evidence import latest_evidence, statement, write_evidence
from tidegate.gate.evidence_store import EvidenceExistsError
from tidegate.gate.judging import judge
from tidegate.gate.request import GateRequest
from tidegate.gate.validity import Context
from tidegate.gate.verdict import GoldenReport, Outcome, Verdict
from tidegate.spec.errors import SpecError

pytestmark = pytest.mark.unit


@pytest.fixture
def request_(tmp_path: Path) -> GateRequest:
    server = FakeServer(http_target="127.0.0.1:8000", grpc_target="127.0.0.1:8001")
    return make_request(tmp_path, server)


def verdict_at(ended: str, failed: int = 0) -> Verdict:
    samples = make_samples(failed=failed)
    return judge(samples, make_profile(rate_per_second=60), Context(ended_at=ended))


def attempt(number: int, outcome: Outcome = Outcome.INCONCLUSIVE, judged: int = 100) -> Attempt:
    return Attempt(
        attempt=number,
        service="doubler",
        revision="doubler-2-0123abcd",
        profile_digest=SUBJECT_DIGEST,
        request_digest=SUBJECT_DIGEST,
        outcome=outcome,
        judged_requests=judged,
        at="2026-11-22T18:00:00.000Z",
        retry_reason=None,
        evidence_path="e.json",
    )


def test_statement_names_subjects_result_and_configuration(request_: GateRequest) -> None:
    path = Path(write_evidence(request_, verdict_at("2026-11-22T18:00:00.000Z")))
    assert path.name == "20261122T180000.000Z-PASS.json"
    assert path.parent.parts[-2:] == ("doubler", "doubler-2-0123abcd")
    statement = json.loads(path.read_text())
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert statement["subject"] == [
        {"name": "release/doubler/2", "digest": {"sha256": SUBJECT_DIGEST.removeprefix("sha256:")}}
    ]
    predicate = statement["predicate"]
    assert predicate["result"] == "PASSED"
    assert {"p95", "errorRate"} <= set(predicate["passedTests"])
    assert predicate["configuration"][0]["name"] == "profile/test"
    assert Verdict.model_validate(predicate["annotations"]["verdict"]).outcome is Outcome.PASS


def test_only_pass_is_passed(request_: GateRequest) -> None:
    path = Path(write_evidence(request_, verdict_at("2026-11-22T18:00:00.000Z", failed=2000)))
    predicate = json.loads(path.read_text())["predicate"]
    assert predicate["result"] == "FAILED"
    assert set(predicate["failedTests"]) == {"p95", "errorRate"}


def test_evidence_is_never_overwritten(request_: GateRequest) -> None:
    first = Path(write_evidence(request_, verdict_at("2026-11-22T18:00:00.000Z")))
    before = first.read_bytes()
    with pytest.raises(EvidenceExistsError):
        write_evidence(request_, verdict_at("2026-11-22T18:00:00.000Z"))
    assert first.read_bytes() == before
    later = write_evidence(request_, verdict_at("2026-11-22T19:00:00.000Z", failed=2000))
    evidence_dir = Path(request_.evidence_dir)
    assert latest_evidence(evidence_dir, "doubler", "doubler-2-0123abcd") == later
    assert latest_evidence(evidence_dir, "doubler", "other") is None
    assert Path(later).parent == evidence_dir / "doubler" / "doubler-2-0123abcd"


def test_attempts_are_appended_per_environment_revision_and_profile(tmp_path: Path) -> None:
    record_attempt(tmp_path, "local", attempt(1))
    before = attempts_path(tmp_path, "local").read_bytes()
    record_attempt(tmp_path, "local", attempt(2, Outcome.PASS))
    assert attempts_path(tmp_path, "local").read_bytes().startswith(before)
    found = attempts_of(tmp_path, "local", "doubler-2-0123abcd", SUBJECT_DIGEST)
    assert [each.attempt for each in found] == [1, 2]
    assert attempts_of(tmp_path, "local", "doubler-3-0123abcd", SUBJECT_DIGEST) == []
    assert attempts_of(tmp_path, "local", "doubler-2-0123abcd", "sha256:" + "0" * 64) == []
    assert attempts_of(tmp_path, "other", "doubler-2-0123abcd", SUBJECT_DIGEST) == []


def test_damaged_record_is_an_error_not_a_fresh_budget(tmp_path: Path) -> None:
    record_attempt(tmp_path, "local", attempt(1))
    with attempts_path(tmp_path, "local").open("a") as stream:
        stream.write("{half a li\n")
    with pytest.raises(SpecError, match="line 2"):
        attempts_of(tmp_path, "local", "doubler-2-0123abcd", SUBJECT_DIGEST)


def test_the_statement_names_every_condition_and_check(request_: GateRequest) -> None:
    predicate = statement(request_, example_verdict(Outcome.FAIL))["predicate"]
    assert {"p50", "p95", "errorRate", "comparison/p50", "goldenAnswers", "validity/lag"} <= set(
        predicate["passedTests"]
    )
    assert predicate["failedTests"] == ["p99"]
    assert set(predicate["warnedTests"]) == {"comparison/p95", "validity/workers"}


def test_golden_answers_may_miss_what_the_profile_allows(request_: GateRequest) -> None:
    profile = make_profile(min_top1_agreement=0.9)
    request = request_.model_copy(update={"profile": profile})
    golden = example_verdict().golden
    assert golden is not None
    counts = {"wrong_values": 3, "disagreements": 3, "top1_examples": 200, "top1_agreeing": 199}
    allowed = golden.model_copy(update=counts)
    missed = golden.model_copy(update={**counts, "top1_agreeing": 150})

    def tests(golden: GoldenReport, name: str) -> list[str]:
        found: list[str] = statement(request, example_verdict(golden=golden))["predicate"][name]
        return found

    assert "goldenAnswers" in tests(allowed, "passedTests")
    assert "goldenAnswers" in tests(missed, "failedTests")


def test_reading_evidence_loads_no_numbers_and_no_pictures() -> None:
    check = (
        "import sys, tidegate.gate.attempts, tidegate.gate.evidence, tidegate.gate.report;"
        "heavy = {'numpy', 'scipy', 'matplotlib', 'jinja2', 'obstore', 'locust', 'gevent'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", check], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
