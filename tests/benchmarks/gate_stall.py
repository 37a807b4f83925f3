"""A 5 ms model that stalls 2 s every 20 s, asked 100 times a second: what p99 is measured?"""

import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.figure import Measurement
from tests.benchmarks.gate_bench import gate_request, start_closed_loop, start_gate
from tests.benchmarks.gate_triton import BenchModel, BenchTriton, running
from tests.benchmarks.perf_analyzer import PerfAnalyzer, perf_analyzer
from tests.benchmarks.stacks import say

STALL_SECONDS, STALL_EVERY_SECONDS = 2.0, 20.0
STALL_RUN_SECONDS = 130.0
STALL_RATE = 100.0


def measure_gate_stall() -> Measurement:
    """p99 of the open loop against the truth; closed-loop tools beside it."""
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
            say(f"stall: {kind} p99 {measured[kind]:.1f} ms")
    ours = measured["open loop"]
    error = abs(ours / truth - 1.0)
    return Measurement(
        value=error,
        unit="relative error of p99",
        met=error <= 0.10,
        goal="<= 0.10",
        reference="the queue by construction, from the log of the stalls and the schedule",
        runs=[error],
        detail={
            "truthP99Milliseconds": round(truth, 1),
            "p99Milliseconds": {kind: round(value, 1) for kind, value in measured.items()},
            "seconds": STALL_RUN_SECONDS,
        },
    )


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
    process = start_closed_loop(
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
