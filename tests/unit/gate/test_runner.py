"""The whole runner, as a process of its own, against a small server with faults."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.unit.gate.builders import make_profile, make_request
from tests.unit.gate.kserve_fake import FakeServer, Fault, serving
from tidegate.gate.attempts import attempts_of
from tidegate.gate.journal import read_events
from tidegate.gate.request import GateRequest
from tidegate.gate.samples import Samples
from tidegate.gate.verdict import Outcome, Verdict

pytestmark = [pytest.mark.unit, pytest.mark.timeout(60)]

GOLDEN_REQUESTS = 8


def start_runner(run_dir: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tidegate.gate.runner", str(run_dir)])


def run_gate(run_dir: Path, request: GateRequest) -> tuple[int, Verdict]:
    run_dir.mkdir(exist_ok=True)
    request.write(run_dir / "request.json")
    code = start_runner(run_dir).wait(50)
    return code, Verdict.load(run_dir / "verdict.json")


def events(run_dir: Path) -> list[dict[str, Any]]:
    return read_events(run_dir / "journal.jsonl")[0]


def wait_for_event(run_dir: Path, name: str) -> None:
    deadline = time.monotonic() + 20
    while name not in [event["event"] for event in events(run_dir)]:
        assert time.monotonic() < deadline, f"no event {name}: {events(run_dir)}"
        time.sleep(0.05)


def test_healthy_server_passes_with_evidence(tmp_path: Path) -> None:
    with serving(FakeServer()) as server:
        request = make_request(tmp_path, server)
        code, verdict = run_gate(tmp_path / "run", request)
        requests_so_far = server.requests
        again = start_runner(tmp_path / "run").wait(20)
        assert server.requests == requests_so_far
    assert (code, again, verdict.outcome) == (0, 0, Outcome.PASS), verdict.reasons
    assert verdict.validity == "full"
    assert verdict.counts.planned == verdict.counts.sent == verdict.counts.done == 230
    assert verdict.counts.judged == 200
    assert set(verdict.counts.by_protocol) == {"httpBinary", "httpJson", "grpc"}
    assert verdict.counts.server is not None
    assert verdict.counts.server.success == 230 + GOLDEN_REQUESTS
    assert verdict.golden is not None and verdict.golden.complete
    assert len(Samples.load(tmp_path / "run" / "samples.npz")) == 230
    assert verdict.evidence_path is not None
    evidence = json.loads(Path(verdict.evidence_path).read_text())
    assert evidence["predicate"]["result"] == "PASSED"
    [attempt] = attempts_of(
        Path(request.evidence_dir), "test", request.revision, request.profile.digest
    )
    assert (attempt.attempt, attempt.outcome) == (1, Outcome.PASS)
    names = [event["event"] for event in events(tmp_path / "run")]
    assert names[0] == "started" and names[-1] == "verdict" and "progress" in names


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("wrongValue", "golden answers are wrong"),
        ("emptyTensor", "is empty"),
        ("notANumber", "holds NaN"),
    ],
)
def test_wrong_golden_answers_fail_before_any_load(tmp_path: Path, fault: Fault, said: str) -> None:
    with serving(FakeServer(fault=fault)) as server:
        code, verdict = run_gate(tmp_path / "run", make_request(tmp_path, server))
        assert server.requests == GOLDEN_REQUESTS
    assert (code, verdict.outcome) == (1, Outcome.FAIL)
    assert said in verdict.summary
    assert verdict.counts.sent == 0


@pytest.mark.parametrize(
    ("fault", "healthy_requests", "kind"),
    [
        ("hang", 0, "deadline"),
        ("hang", GOLDEN_REQUESTS, "deadline"),
        ("status500", 0, "status"),
        ("emptyTensor", GOLDEN_REQUESTS, "emptyTensor"),
    ],
)
def test_errors_under_load_fail_and_stop_the_load_early(
    tmp_path: Path, fault: Fault, healthy_requests: int, kind: str
) -> None:
    with serving(FakeServer(fault=fault, healthy_requests=healthy_requests)) as server:
        profile = make_profile(duration_seconds=60, deadline_seconds=1, slos={"p95": 900})
        request = make_request(tmp_path, server, profile=profile)
        code, verdict = run_gate(tmp_path / "run", request)
    assert (code, verdict.outcome) == (1, Outcome.FAIL), verdict.reasons
    assert verdict.stopped_early is not None
    assert verdict.counts.planned < 1500
    assert kind in verdict.errors_by_kind and kind in verdict.first_errors
    assert "error rate" in verdict.summary


def test_slow_server_fails_on_its_quantile(tmp_path: Path) -> None:
    with serving(FakeServer(fault="slow", healthy_requests=GOLDEN_REQUESTS)) as server:
        code, verdict = run_gate(tmp_path / "run", make_request(tmp_path, server))
    assert (code, verdict.outcome) == (1, Outcome.FAIL), verdict.reasons
    assert "p95" in verdict.summary and "SLO 1000 ms" in verdict.summary
    assert verdict.counts.errored == 0


def test_other_version_is_invalid(tmp_path: Path) -> None:
    with serving(FakeServer(fault="otherVersion")) as server:
        code, verdict = run_gate(tmp_path / "run", make_request(tmp_path, server))
    assert (code, verdict.outcome) == (3, Outcome.INVALID)
    assert "doubler version 1, expected doubler version 2" in verdict.summary


def test_server_that_counts_otherwise_is_invalid(tmp_path: Path) -> None:
    with serving(FakeServer(counted_twice=True)) as server:
        code, verdict = run_gate(tmp_path / "run", make_request(tmp_path, server))
    assert (code, verdict.outcome) == (3, Outcome.INVALID)
    assert "the server counted" in verdict.summary


def test_refused_connection_is_invalid(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening
        target = f"127.0.0.1:{taken.getsockname()[1]}"
        server = FakeServer(http_target=target, grpc_target=target)
        code, verdict = run_gate(tmp_path / "run", make_request(tmp_path, server))
    assert (code, verdict.outcome) == (3, Outcome.INVALID)
    assert f"unreachable at {target}" in verdict.summary


def test_changed_file_is_invalid_before_any_request(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"other")
    with serving(FakeServer()) as server:
        request = make_request(tmp_path, server, watched_files={str(model): "sha256:" + "b" * 64})
        code, verdict = run_gate(tmp_path / "run", request)
        assert server.requests == 0
    assert (code, verdict.outcome) == (3, Outcome.INVALID)
    assert "model.onnx does not match the digest" in verdict.summary


@pytest.mark.parametrize("event", ["cancelled", "leaseLost"])
def test_unwanted_run_stops_without_verdict(tmp_path: Path, event: str) -> None:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    with serving(FakeServer()) as server:
        profile = make_profile(duration_seconds=60)
        lease = 2.0 if event == "leaseLost" else None
        make_request(tmp_path, server, profile=profile, lease_seconds=lease).write(
            run_dir / "request.json"
        )
        runner = start_runner(run_dir)
        wait_for_event(run_dir, "started")
        if event == "cancelled":
            (run_dir / "cancel").touch()
        assert runner.wait(20) == 4
    assert events(run_dir)[-1]["event"] == event
    assert not (run_dir / "verdict.json").exists()
    assert not (tmp_path / "evidence").exists()


def test_one_gate_at_a_time_and_one_runner_per_folder(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    server = FakeServer(http_target="127.0.0.1:9", grpc_target="127.0.0.1:9")
    request = make_request(tmp_path, server)
    request.write(run_dir / "request.json")
    holder = {"revision": "other-1-00000000", "pid": os.getpid(), "since": "now"}
    Path(request.lock_path + ".holder").write_text(json.dumps(holder))
    with FileLock(request.lock_path):
        runner = start_runner(run_dir)
        wait_for_event(run_dir, "queued")
        assert start_runner(run_dir).wait(20) == 6
    runner.wait(20)
    queued = events(run_dir)[0]
    assert queued["holder"] == holder and "other-1-00000000" in queued["message"]


def test_broken_request_is_an_error_in_the_journal(tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text('{"service": "digits"}')
    assert start_runner(tmp_path).wait(20) == 5
    [event] = events(tmp_path)
    assert event["event"] == "error" and "request.json" in event["message"]
