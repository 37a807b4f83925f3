"""Requests, counters, journal, progress, early stop, imports and the command line."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from tests.unit.gate.builders import make_profile, make_request, make_samples
from tests.unit.gate.kserve_fake import EXAMPLES, SIGNATURE, FakeServer, write_golden_set
from tidegate.gate.answers import AnswerChecker
from tidegate.gate.cli import app
from tidegate.gate.early_stop import hopeless
from tidegate.gate.golden_signature import infer_signature
from tidegate.gate.journal import Journal, read_events
from tidegate.gate.progress import Progress, format_progress
from tidegate.gate.protocols.base import Answer, OutputTensor
from tidegate.gate.request import GateRequest
from tidegate.gate.samples import ErrorKind
from tidegate.gate.server_counters import parse_counts
from tidegate.gate.tally import Tally
from tidegate.gate.verdict import Outcome, Verdict
from tidegate.spec.golden import load_golden
from tidegate.spec.release import Tolerance

pytestmark = pytest.mark.unit

SERVER = FakeServer(http_target="127.0.0.1:8000", grpc_target="127.0.0.1:8001")


def test_request_survives_its_file_and_has_a_stable_digest(tmp_path: Path) -> None:
    request = make_request(tmp_path, SERVER)
    request.write(tmp_path / "request.json")
    loaded = GateRequest.load(tmp_path / "request.json")
    assert loaded == request and loaded.digest == request.digest
    assert "httpTarget" in json.loads((tmp_path / "request.json").read_text())
    assert make_request(tmp_path, SERVER, release="3").digest != request.digest


@pytest.mark.parametrize("target", ["10.0.0.1:80", "example.org:80", "127.0.0.1", "127.0.0.1:0"])
def test_load_goes_to_this_machine_only(tmp_path: Path, target: str) -> None:
    with pytest.raises(ValidationError, match="target"):
        make_request(tmp_path, SERVER, http_target=target)


def test_counters_of_other_models_and_versions_are_left_out() -> None:
    metrics = """\
# HELP nv_inference_request_success Number of successful inference requests
nv_inference_request_success{model="digits",version="1"} 5
nv_inference_request_success{model="digits",version="2"} 7
nv_inference_request_success{model="other",version="2"} 100
nv_inference_request_failure{model="digits",reason="BACKEND",version="2"} 2
nv_inference_request_failure{model="digits",reason="OTHER",version="2"} 1
"""
    counts = parse_counts(metrics, "digits", "2")
    assert (counts.success, counts.failure) == (7, 3)


def test_journal_is_read_in_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    assert read_events(path) == ([], 0)
    journal = Journal(path)
    journal.write("started", "begins", pid=1)
    with path.open("a") as stream:
        stream.write('{"event": "half')
    events, offset = read_events(path)
    assert [event["event"] for event in events] == ["started"]
    with path.open("a") as stream:
        stream.write('"}\n')
    assert [event["event"] for event in read_events(path, offset)[0]] == ["half"]
    journal.close()


def test_journal_goes_on_after_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text('{"event": "started"}\n{"event": "prog')
    journal = Journal(path)
    journal.write("started", "again")
    journal.close()
    assert [event["event"] for event in read_events(path)[0]] == ["started", "started"]


def test_progress_is_one_line() -> None:
    line = format_progress(Progress("load", 12.4, 800, 798, 2, 7.26))
    assert line == "load, 12 s left, 800 sent, 2 errors, p95 7.3 ms"
    assert "beyond reach" in format_progress(Progress("drain", 0, 8, 0, 8, float("inf")))


def test_load_stops_early_only_when_errors_are_far_beyond_the_limit() -> None:
    profile = make_profile(warm_up_seconds=0, max_error_rate=0.02)

    def reason(requests: int, failed: int) -> str | None:
        tally = Tally(profile)
        tally.add(make_samples(requests=requests, failed=failed))
        return hopeless(tally, profile)

    assert reason(90, 90) is None
    assert reason(200, 15) is None
    assert "200 of the first 200" in (reason(200, 200) or "")


def test_answer_within_tolerance_is_right_and_beyond_it_wrong(tmp_path: Path) -> None:
    write_golden_set(tmp_path / "golden.npz")
    golden = load_golden(tmp_path / "golden.npz", SIGNATURE)
    checker = AnswerChecker(SIGNATURE, golden, Tolerance(absolute=0.01, relative=0.0))

    def answer(shift: float, names: tuple[str, str] = ("label", "y")) -> Answer:
        y = golden.outputs["y"][0] + np.float32(shift)
        tensors = (
            OutputTensor("INT64", (1,), golden.outputs["label"][:1]),
            OutputTensor("FP32", (1, 4), y),
        )
        return Answer("doubler", "2", dict(zip(names, tensors, strict=True)))

    assert checker.difference(0, answer(0.009)) is None
    wrong = checker.difference(0, answer(0.011))
    assert wrong is not None and wrong.kind is ErrorKind.WRONG_VALUE and "y[0]" in wrong.message
    assert checker.deviation(0, answer(0.5)) == pytest.approx(0.5, rel=1e-3)
    renamed = checker.difference(0, answer(0.0, ("label", "z")))
    assert renamed is not None and renamed.kind is ErrorKind.WRONG_NAME


def test_signature_is_inferred_from_a_golden_set(tmp_path: Path) -> None:
    write_golden_set(tmp_path / "golden.npz")
    signature = infer_signature(tmp_path / "golden.npz", "doubler", "2")
    assert signature == SIGNATURE
    assert load_golden(tmp_path / "golden.npz", signature).count == EXAMPLES


def test_gate_package_loads_neither_locust_nor_pulumi() -> None:
    check = (
        "import sys, tidegate.gate, tidegate.gate.cli, tidegate.gate.evidence;"
        "sys.exit(any(name in sys.modules for name in ('locust', 'gevent', 'pulumi')))"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


@pytest.mark.parametrize(
    ("failed", "outcome"), [(0, Outcome.PASS), (1000, Outcome.FAIL), (110, Outcome.INCONCLUSIVE)]
)
def test_command_line_judges_samples(tmp_path: Path, failed: int, outcome: Outcome) -> None:
    make_samples(failed=failed).save(tmp_path / "samples.npz")
    profile = make_profile(rate_per_second=60, warm_up_seconds=0, max_error_rate=0.04)
    (tmp_path / "profile.yaml").write_text(json.dumps(profile.model_dump(by_alias=True)))
    arguments = ["judge", "--samples", str(tmp_path / "samples.npz")]
    arguments += ["--profile", str(tmp_path / "profile.yaml"), "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == outcome.exit_code
    assert Verdict.model_validate_json(result.stdout).outcome is outcome


def test_command_line_refuses_bad_input(tmp_path: Path) -> None:
    make_samples().save(tmp_path / "samples.npz")
    (tmp_path / "profile.yaml").write_text("name: x")
    arguments = ["judge", "--samples", str(tmp_path / "samples.npz")]
    result = CliRunner().invoke(app, [*arguments, "--profile", str(tmp_path / "profile.yaml")])
    assert result.exit_code == Outcome.INVALID.exit_code
    assert "profile.yaml" in result.output
