"""The whole runner, as a process of its own, against a small server with faults."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from numpy.typing import NDArray

from tests.unit.gate.builders import make_request, make_short_profile
from tests.unit.gate.kserve_fake import SIGNATURE, FakeServer, serving
from tests.unit.gate.running import (
    EVENT_SECONDS,
    GOLDEN_REQUESTS,
    RUN_SECONDS,
    events,
    has_ended,
    run_gate,
    run_gates,
    start_and_wait_for_workers,
    start_runner,
    wait_for_event,
    worker_pids,
)
from tidegate.gate.attempts import attempts_of
from tidegate.gate.evidence import latest_evidence
from tidegate.gate.judging import judge_file
from tidegate.gate.samples import Samples
from tidegate.gate.verdict import Outcome, Verdict
from tidegate.lease import CANCEL, LEASE
from tidegate.spec.golden import GoldenData, save_golden
from tidegate.spec.signature import TensorSpec

pytestmark = pytest.mark.unit


def test_healthy_server_passes_with_evidence(tmp_path: Path) -> None:
    with serving(FakeServer()) as server:
        request = make_request(tmp_path, server)
        code, verdict = run_gate(tmp_path / "run", request)
        requests_so_far = server.requests
        again = start_runner(tmp_path / "run").wait(EVENT_SECONDS)
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
    assert verdict.report_path == verdict.evidence_path.replace(".json", ".html")
    assert "may take traffic" in Path(verdict.report_path).read_text()
    assert verdict.samples_path == verdict.evidence_path.replace(".json", ".npz")
    judged, _ = judge_file(Path(verdict.samples_path), request.profile)
    assert judged.outcome is verdict.outcome
    latest = latest_evidence(request.evidence_dir, request.service, request.revision)
    assert latest == verdict.evidence_path
    [attempt] = attempts_of(
        Path(request.evidence_dir), "test", request.revision, request.profile.digest
    )
    assert (attempt.attempt, attempt.outcome) == (1, Outcome.PASS)
    names = [event["event"] for event in events(tmp_path / "run")]
    assert names[0] == "started" and names[-1] == "verdict" and "progress" in names


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
        profile = make_short_profile(duration_seconds=60)
        lease_seconds = 1.0 if event == "leaseLost" else None
        make_request(tmp_path, server, profile=profile, lease_seconds=lease_seconds).write(
            run_dir / "request.json"
        )
        lease = run_dir / LEASE
        lease.touch()
        in_an_hour = time.time() + 3600
        os.utime(lease, (in_an_hour, in_an_hour))  # renewed until the load has begun
        runner = start_runner(run_dir)
        wait_for_event(run_dir, "started")
        if event == "cancelled":
            (run_dir / CANCEL).touch()
        lease.touch()
        assert runner.wait(EVENT_SECONDS) == 4
    assert events(run_dir)[-1]["event"] == event
    assert not (run_dir / "verdict.json").exists()
    assert latest_evidence(tmp_path / "evidence", "doubler", "doubler-2-0123abcd") is None


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
        assert start_runner(run_dir).wait(EVENT_SECONDS) == 6
    runner.wait(EVENT_SECONDS)
    queued = events(run_dir)[0]
    assert queued["holder"] == holder and "other-1-00000000" in queued["message"]


def test_broken_request_is_an_error_in_the_journal(tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text('{"service": "digits"}')
    assert start_runner(tmp_path).wait(EVENT_SECONDS) == 5
    [event] = events(tmp_path)
    assert event["event"] == "error" and "request.json" in event["message"]


def test_two_workers_send_one_schedule(tmp_path: Path) -> None:
    with serving(FakeServer()) as server, serving(FakeServer()) as other:
        requests = {
            "alone": make_request(tmp_path, server, workers=1),
            "both": make_request(tmp_path, other, workers=2, lock_path=str(tmp_path / "other")),
        }
        verdicts = run_gates(tmp_path, requests)
    alone, both = (verdicts[name][1] for name in requests)
    assert both.outcome is Outcome.PASS, both.reasons
    assert both.counts == alone.counts
    first, second = (
        Samples.load(tmp_path / f"run-{name}" / "samples.npz").intended for name in requests
    )
    assert np.array_equal(first, second)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_worker_rules_a_pass_out(tmp_path: Path, workers: int) -> None:
    run_dir = tmp_path / "run"
    with serving(FakeServer()) as server:
        profile = make_short_profile(duration_seconds=60)
        request = make_request(tmp_path, server, workers=workers, profile=profile)
        runner = start_and_wait_for_workers(run_dir, request)
        os.kill(worker_pids(run_dir)[-1], signal.SIGKILL)
        assert runner.wait(EVENT_SECONDS) == 3
    verdict = Verdict.load(run_dir / "verdict.json")
    assert verdict.outcome is Outcome.INVALID
    assert any("process" in reason for reason in verdict.reasons), verdict.reasons


def test_a_killed_runner_takes_its_workers_with_it_and_its_attempt_is_spent(
    tmp_path: Path,
) -> None:
    run_dir = tmp_path / "run"
    with serving(FakeServer()) as server:
        request = make_request(tmp_path, server, profile=make_short_profile(duration_seconds=60))
        runner = start_and_wait_for_workers(run_dir, request)
        pids = worker_pids(run_dir)
        runner.kill()
        runner.wait(10)
        deadline = time.monotonic() + EVENT_SECONDS
        while not all(has_ended(pid) for pid in pids):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        again = start_runner(run_dir)
        wait_for_event(run_dir, "started", times=2)
        (run_dir / CANCEL).touch()
        assert again.wait(EVENT_SECONDS) == 4
    started = [event for event in events(run_dir) if event["event"] == "started"]
    assert [event["attempt"] for event in started] == [1, 2]


def test_a_baseline_is_loaded_in_the_same_minutes(tmp_path: Path) -> None:
    with serving(FakeServer()) as server, serving(FakeServer(version="1")) as other:
        baseline = {
            "revision": "doubler-1-89abcdef",
            "why": "serves the users",
            "http_target": other.http_target,
            "grpc_target": other.grpc_target,
            "metrics_target": other.http_target,
            "model_version": "1",
            "max_rate_per_second": 50,
        }
        request = make_request(
            tmp_path,
            server,
            baseline=baseline,
            grpc_streaming=True,
            profile=make_short_profile(comparison_margins={}),
        )
        code, verdict = run_gate(tmp_path / "run", request)
    assert code == 0, verdict.reasons
    assert verdict.validity == "full"
    assert verdict.counts.baseline is not None
    assert verdict.counts.baseline.judged == 50 and verdict.counts.judged == 200
    assert set(verdict.counts.by_protocol) == {"httpBinary", "httpJson", "grpc", "grpcStream"}
    samples = Samples.load(tmp_path / "run" / "samples.npz")
    assert samples.revisions == (request.revision, "doubler-1-89abcdef")
    assert np.array_equal(samples.revision, samples.arm)


def test_a_baseline_of_another_version_is_refused_before_load(tmp_path: Path) -> None:
    with serving(FakeServer()) as server, serving(FakeServer(version="2")) as other:
        baseline = {
            "revision": "doubler-1-89abcdef",
            "why": "serves the users",
            "http_target": other.http_target,
            "grpc_target": other.grpc_target,
            "model_version": "1",
        }
        request = make_request(
            tmp_path, server, baseline=baseline, profile=make_short_profile(comparison_margins={})
        )
        code, verdict = run_gate(tmp_path / "run", request)
    assert (code, verdict.counts.sent) == (3, 0)
    assert "the baseline doubler-1-89abcdef" in verdict.summary


def test_a_rise_of_users_latency_ends_the_load(tmp_path: Path) -> None:
    # Many times what a busy machine makes of the warm-up, which the guard compares it with.
    slow = FakeServer(
        version="1", fault="slow", healthy_requests=GOLDEN_REQUESTS + 50, slow_seconds=2
    )
    with serving(FakeServer()) as server, serving(slow) as other:
        baseline = {
            "revision": "doubler-1-89abcdef",
            "why": "serves the users",
            "http_target": other.http_target,
            "grpc_target": other.grpc_target,
            "model_version": "1",
        }
        profile = make_short_profile(
            comparison_margins={}, rate_per_second=100, duration_seconds=60, warm_up_seconds=1.5
        )
        request = make_request(tmp_path, server, baseline=baseline, profile=profile)
        code, verdict = run_gate(tmp_path / "run", request)
    assert code == 2, verdict.reasons
    assert "users' latency rose" in verdict.summary
    assert verdict.counts.sent < 6000


def test_the_key_is_nowhere_but_on_the_wire(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "k3y-which-nobody-may-read"  # noqa: S105 - made up
    monkeypatch.setenv("GATE_TEST_KEY", secret)
    key = {"header": "x-api-key", "environment_variable": "GATE_TEST_KEY"}
    with serving(FakeServer(api_key=secret)) as server:
        request = make_request(tmp_path, server, api_key=key, metrics_target=None)
        code, verdict = run_gate(tmp_path / "run", request)
    assert code == 0, verdict.reasons
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"api_key": None}, "refuses requests without an API key"),
        ({"signature": SIGNATURE.model_copy(update={"name": "halver"})}, "has no model halver"),
        ({"tls": {}}, "TLS to"),
        (
            {
                "signature": SIGNATURE.model_copy(
                    update={"inputs": (TensorSpec(name="x", datatype="FP32", shape=(-1, 5)),)}
                )
            },
            "x has shape [-1, 4], not [-1, 5]",
        ),
    ],
)
def test_what_cannot_work_is_said_before_any_request(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with serving(FakeServer(api_key="secret" if "api_key" in changes else "")) as server:
        if "signature" in changes:
            # A golden set of that shape, for a server that has another.
            width = changes["signature"].inputs[0].shape[1]
            x = np.ones((4, width), np.float32)
            label = np.zeros(4, np.int64)
            outputs: dict[str, NDArray[Any]] = {
                "label": label,
                "y": np.ones((4, 4), np.float32),
            }
            golden = GoldenData(inputs={"x": x}, outputs=outputs, truth=label)
            save_golden(tmp_path / "golden.npz", golden)
        request = make_request(tmp_path, server, metrics_target=None, **changes)
        code, verdict = run_gate(tmp_path / "run", request)
        assert server.requests == 0
    assert code == 3
    assert said in verdict.summary and verdict.mend


def test_a_golden_set_of_another_model_is_an_error_in_words(tmp_path: Path) -> None:
    with serving(FakeServer()) as server:
        signature = SIGNATURE.model_copy(
            update={"inputs": (TensorSpec(name="x", datatype="FP32", shape=(-1, 5)),)}
        )
        run_dir = tmp_path / "run"
        run_dir.mkdir()
        make_request(tmp_path, server, signature=signature).write(run_dir / "request.json")
        assert start_runner(run_dir).wait(EVENT_SECONDS) == 5
        assert server.requests == 0
    assert "input:x" in events(run_dir)[-1]["message"]


def test_command_line_needs_no_more_than_a_target(tmp_path: Path) -> None:
    profile = make_short_profile(comparison_margins={})
    (tmp_path / "profile.yaml").write_text(json.dumps(profile.model_dump(by_alias=True)))
    with serving(FakeServer()) as server:
        command = [sys.executable, "-m", "tidegate.cli", "gate", "run", "--model", "doubler"]
        command += ["--profile", str(tmp_path / "profile.yaml"), "--out", str(tmp_path / "out")]
        ended = subprocess.run(
            [*command, "--target", f"http://{server.http_target}"],
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
            # Its own lock: gates of other tests on this machine are none of its business.
            env=os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")},
        )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "PASS" in ended.stdout
    verdict = Verdict.load(tmp_path / "out" / "verdict.json")
    assert verdict.validity == "partial" and verdict.golden is None
    assert (tmp_path / "out" / "report.html").exists()
