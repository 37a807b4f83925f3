"""Figures of the load generator: `python -m tests.benchmarks.gate_generator NAME …`.

- lag: schedule lag of one worker process at 3000 requests/s.
- against_perf_analyzer: CPU per request and rate in closed loops of eight connections, alternating
  on one real Triton, 16-byte and 600 KB tensors, HTTP and gRPC; every answer of ours is checked.
- stall: a 5 ms model that stalls 2 s every 20 s at 100 requests/s; the truth is the queue's own.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from tests.benchmarks.gate_triton import BenchModel, BenchTriton, running
from tests.benchmarks.perf_analyzer import PerfAnalyzer, perf_analyzer
from tidegate.gate.profile import Profile
from tidegate.gate.request import GateRequest
from tidegate.gate.server_counters import read_counts
from tidegate.gate.verdict import Verdict
from tidegate.spec.digests import digest_file

CONNECTIONS = 8
SETTLE_SECONDS = 1.5
WINDOW_SECONDS = 4.0
ROUNDS = 5
STALL_SECONDS, STALL_EVERY_SECONDS = 2.0, 20.0
STALL_RUN_SECONDS = 130.0
STALL_RATE = 100.0

Figure = dict[str, Any]


def gate_request(
    folder: Path, server: BenchTriton, model: BenchModel, profile: dict[str, Any], **changes: Any
) -> GateRequest:
    """A request for a bench model over HTTP binary, JSON and gRPC."""
    golden = folder / "golden.npz"
    if not golden.exists():
        model.write_golden(golden, 16 if model.size < 1000 else 4)
    defaults = {
        "name": "bench",
        "description": "of a benchmark",
        "slos": {"p95": 1900},
        "max_error_rate": 0.05,
        "seed": 20261122,
        "max_requests": 10_000_000,
    }
    fields: dict[str, Any] = {
        "environment": "bench",
        "service": model.name,
        "revision": f"{model.name}-{model.version}",
        "release": model.version,
        "http_target": server.http_target,
        "grpc_target": server.grpc_target,
        "metrics_target": server.metrics_target,
        "signature": model.signature,
        "golden_path": str(golden),
        "golden_sha256": digest_file(golden),
        "tolerance": {"absolute": 1e-6, "relative": 1e-6},
        "profile": Profile.parse(defaults | profile, "profile"),
        "subject_digests": {"golden": digest_file(golden)},
        "evidence_dir": str(folder / "evidence"),
        "lock_path": str(folder / "gate.lock"),
    }
    return GateRequest.parse(fields | changes, "request")


def start_gate(run_dir: Path, request: GateRequest, **popen: Any) -> "subprocess.Popen[bytes]":
    run_dir.mkdir(parents=True, exist_ok=True)
    request.write(run_dir / "request.json")
    command = [sys.executable, "-m", "tidegate.gate.runner", str(run_dir)]
    with (run_dir / "runner.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, **popen)


def lag() -> Figure:
    runs = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = BenchModel("identity", 4, instances=2)
        with running(folder / "triton", [model]) as server:
            profile = {
                "arrival": "poisson",
                "rate_per_second": 3000,
                "duration_seconds": 20,
                "warm_up_seconds": 2,
            }
            for number in range(ROUNDS):
                request = gate_request(folder, server, model, profile, workers=1, grpc_target=None)
                run_dir = folder / f"run-{number}"
                start_gate(run_dir, request).wait()
                verdict = Verdict.load(run_dir / "verdict.json")
                with np.load(run_dir / "samples.npz") as samples:
                    late = (samples["sent"] - samples["intended"]) * 1000.0
                    right = bool(samples["ok"].all())
                p50, p99 = np.quantile(late, [0.5, 0.99])
                runs.append(
                    {
                        "lagP50Milliseconds": round(float(p50), 3),
                        "lagP99Milliseconds": round(float(p99), 3),
                        "requestsPerSecond": round(late.size / 22.0),
                        "cpuShare": verdict.generator.cpu_share,
                        "everyAnswerRight": right,
                        # Other work on the machine decides the tail more than the generator does.
                        "loadAverage": round(os.getloadavg()[0], 1),
                    }
                )
                _say(f"lag: {runs[-1]}")
    value = statistics.median(run["lagP99Milliseconds"] for run in runs)
    return {"figure": "gate_lag", "value": value, "unit": "ms", "goal": "<= 1.2", "runs": runs}


def against_perf_analyzer() -> Figure:
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        other = perf_analyzer(folder / "perf_analyzer")
        for size, label in ((4, "16 bytes"), (153_600, "600 KB")):
            model = BenchModel("identity", size, instances=2)
            place = folder / str(size)
            with running(place / "triton", [model]) as server:
                golden = model.write_golden(place / "golden.npz", 16 if size < 1000 else 4)
                for protocol in ("http", "grpc"):
                    results[f"{protocol}, {label}"] = _compare(
                        server, model, golden, protocol, other, place
                    )
    cpu = max(each["cpuRatio"] for each in results.values())
    rate = min(each["rateRatio"] for each in results.values())
    return {
        "figure": "gate_against_perf_analyzer",
        "value": cpu,
        "unit": "times perf_analyzer's CPU per request, worst case",
        "goal": "<= 1.0, and rate >= 1.0",
        "worstRateRatio": rate,
        "rounds": ROUNDS,
        "cases": results,
    }


def _compare(
    server: BenchTriton,
    model: BenchModel,
    golden: Path,
    protocol: str,
    other: PerfAnalyzer,
    folder: Path,
) -> dict[str, Any]:
    target = server.http_target if protocol == "http" else server.grpc_target

    def ours() -> "subprocess.Popen[bytes]":
        return _closed_loop("lanes", protocol, target, golden, model, CONNECTIONS)

    def theirs() -> "subprocess.Popen[bytes]":
        arguments = ["-m", model.name, "-u", target, "-i", protocol]
        arguments += [f"--concurrency-range={CONNECTIONS}", "--measurement-interval=60000"]
        return other.start(arguments, folder / "perf_analyzer.log")

    pairs = []
    for number in range(ROUNDS):
        # Whoever goes second finds a warmer machine: take turns.
        order: list[Callable[[], subprocess.Popen[bytes]]] = [ours, theirs]
        if number % 2:
            order.reverse()
        measured = {start.__name__: _measured(server, model, start) for start in order}
        pairs.append((measured["ours"], measured["theirs"]))
        _say(f"{protocol} {model.size * 4} bytes: {measured}")
    return {
        "cpuRatio": round(statistics.median(a["cpu"] / b["cpu"] for a, b in pairs), 3),
        "rateRatio": round(statistics.median(a["rate"] / b["rate"] for a, b in pairs), 3),
        "oursCpuMicroseconds": [round(a["cpu"] * 1e6, 1) for a, _ in pairs],
        "theirsCpuMicroseconds": [round(b["cpu"] * 1e6, 1) for _, b in pairs],
        "oursPerSecond": [round(a["rate"]) for a, _ in pairs],
        "theirsPerSecond": [round(b["rate"]) for _, b in pairs],
    }


def _measured(
    server: BenchTriton, model: BenchModel, start: Callable[[], "subprocess.Popen[bytes]"]
) -> dict[str, float]:
    """CPU seconds per request and requests per second, by the server's own counter."""
    before = _counted(server, model)
    process = start()
    try:
        give_up = time.monotonic() + 30
        while _counted(server, model) < before + 50 and time.monotonic() < give_up:
            time.sleep(0.05)
        time.sleep(SETTLE_SECONDS)
        observed = psutil.Process(process.pid)
        first, cpu_first, at_first = _counted(server, model), _cpu(observed), time.monotonic()
        time.sleep(WINDOW_SECONDS)
        last, cpu_last, at_last = _counted(server, model), _cpu(observed), time.monotonic()
    finally:
        process.kill()
        process.wait()
    requests = last - first
    return {"cpu": (cpu_last - cpu_first) / requests, "rate": requests / (at_last - at_first)}


def stall() -> Figure:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        other = perf_analyzer(folder / "perf_analyzer")
        measured: dict[str, Any] = {}
        for kind in ("open loop", "locust closed loop", "perf_analyzer"):
            place = folder / kind.replace(" ", "-")
            model = BenchModel(
                "identity",
                4,
                parameters={
                    "sleep_ms": "5",
                    "every_s": f"{STALL_EVERY_SECONDS:g}",
                    "stall_s": f"{STALL_SECONDS:g}",
                    "stalls": str(place / "stalls.log"),
                },
            )
            with running(place / "triton", [model]) as server:
                golden = model.write_golden(place / "golden.npz", 16)
                if kind == "open loop":
                    measured[kind], truth = _stall_open(place, server, model)
                elif kind == "perf_analyzer":
                    measured[kind] = _stall_perf_analyzer(place, server, model, other)
                else:
                    measured[kind] = _stall_locust(server, model, golden)
            _say(f"stall: {kind} p99 {measured[kind]:.1f} ms")
    ours = measured["open loop"]
    return {
        "figure": "gate_stall",
        "value": round(abs(ours / truth - 1.0), 4),
        "unit": "relative error of p99",
        "goal": "<= 0.10",
        "truthP99Milliseconds": round(truth, 1),
        "p99Milliseconds": {kind: round(value, 1) for kind, value in measured.items()},
        "seconds": STALL_RUN_SECONDS,
    }


def _stall_open(place: Path, server: BenchTriton, model: BenchModel) -> tuple[float, float]:
    profile = {
        "rate_per_second": STALL_RATE,
        "duration_seconds": STALL_RUN_SECONDS,
        "warm_up_seconds": 2,
        "deadline_seconds": 10,
        "slos": {"p95": 9000},
    }
    request = gate_request(place, server, model, profile, workers=1)
    started = time.monotonic()
    start_gate(place / "run", request).wait()
    with np.load(place / "run" / "samples.npz") as samples:
        latency = np.where(samples["ok"], samples["done"] - samples["intended"], np.inf)
        intended, done = samples["intended"], samples["done"]
    # The queue by construction: one server, first come first served, as quick as between stalls.
    log = np.loadtxt(place / "stalls.log", ndmin=2)
    quiet = float(np.median(done - intended))
    origin = _origin(log, intended, done, started)
    truth = _queue(intended, log - origin, quiet)
    return (
        float(np.quantile(latency, 0.99, method="inverted_cdf")) * 1000.0,
        float(np.quantile(truth, 0.99, method="inverted_cdf")) * 1000.0,
    )


def _origin(log: Any, intended: Any, done: Any, started: float) -> float:
    """The moment of the monotonic clock at which the samples' clock began.

    During a stall nothing is answered: the first answer after the first gap of that length comes
    when the stall of the log ended.
    """
    ends = np.sort(done)
    gap = int(np.argmax(np.diff(ends) > 0.8 * STALL_SECONDS))
    return float(log[log[:, 0] > started][0, 1] - ends[gap + 1])


def _queue(intended: Any, stalls: Any, service: float) -> Any:
    """Latencies of a first-come-first-served server that is away during the stalls."""
    free, latencies = 0.0, np.empty(intended.size)
    pending = sorted((float(start), float(end)) for start, end in stalls)
    for index, due in enumerate(intended.tolist()):
        begin = max(free, due)
        while pending and pending[0][0] <= begin:
            begin = max(begin, pending.pop(0)[1])
        free = begin + service
        latencies[index] = free - due
    return latencies


def _stall_locust(server: BenchTriton, model: BenchModel, golden: Path) -> float:
    process = _closed_loop(
        "locust", "http", server.http_target, golden, model, 10, stdout=subprocess.PIPE
    )
    time.sleep(STALL_RUN_SECONDS)
    process.terminate()
    output, _ = process.communicate(timeout=30)
    return float(np.quantile(json.loads(output), 0.99)) * 1000.0


def _stall_perf_analyzer(
    place: Path, server: BenchTriton, model: BenchModel, other: PerfAnalyzer
) -> float:
    arguments = ["-m", model.name, "-u", server.http_target, "-i", "http"]
    arguments += [f"--request-rate-range={STALL_RATE:g}", "--request-distribution=poisson"]
    interval = int(STALL_RUN_SECONDS * 1000 / 3)
    arguments += [f"--measurement-interval={interval}", "--max-trials=3", "-s", "999"]
    arguments += ["--percentile=99", "-f", str(place / "perf_analyzer.csv")]
    other.start(arguments, place / "perf_analyzer.log").wait(STALL_RUN_SECONDS * 2)
    for line in (place / "perf_analyzer.log").read_text().splitlines():
        if "p99 latency" in line:
            return float(line.split(":")[1].split()[0]) / 1000.0
    raise RuntimeError((place / "perf_analyzer.log").read_text())


def _closed_loop(
    kind: str,
    protocol: str,
    target: str,
    golden: Path,
    model: BenchModel,
    connections: int,
    **popen: Any,
) -> "subprocess.Popen[bytes]":
    arguments = [kind, protocol, target, str(golden), model.version, str(connections)]
    command = [sys.executable, "-m", "tests.benchmarks.gate_closed_loop", *arguments]
    return subprocess.Popen(command, **popen)


def _counted(server: BenchTriton, model: BenchModel) -> int:
    counts = read_counts(server.metrics_target, model.name, model.version)
    return counts.success if counts is not None else 0


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


FIGURES: dict[str, Callable[[], Figure]] = {
    "lag": lag,
    "against_perf_analyzer": against_perf_analyzer,
    "stall": stall,
}


def main(names: Sequence[str]) -> None:
    for name in names or FIGURES:
        print(json.dumps(FIGURES[name]()), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
