"""CPU per request and rate of the load generator against perf_analyzer's.

Closed loops of eight connections on one real Triton, alternating; every answer of ours is checked.
"""

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.figure import Measurement
from tests.benchmarks.gate_bench import start_closed_loop
from tests.benchmarks.gate_triton import BenchModel, BenchTriton, running
from tests.benchmarks.perf_analyzer import PerfAnalyzer, perf_analyzer
from tests.benchmarks.stacks import say
from tidegate.gate.server_counters import read_counts

CONNECTIONS = 8
SETTLE_SECONDS = 1.5
WINDOW_SECONDS = 4.0
ROUNDS = 5


def measure_gate_cost() -> Measurement:
    """The worst of four cases: two protocols, tensors of 16 bytes and of 600 KB."""
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
    return Measurement(
        value=cpu,
        unit="times perf_analyzer's CPU per request",
        met=cpu <= 1.0 and rate >= 1.0,
        goal="<= 1.0, and rate >= 1.0 times perf_analyzer's",
        reference=f"perf_analyzer on the same server, {ROUNDS} rounds in turn, the worst case",
        runs=[each["cpuRatio"] for each in results.values()],
        detail={"worstRateRatio": rate, "cases": results},
    )


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
        return start_closed_loop("lanes", protocol, target, golden, model, CONNECTIONS)

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
        say(f"{protocol} {model.size * 4} bytes: {measured}")
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


def _counted(server: BenchTriton, model: BenchModel) -> int:
    counts = read_counts(server.metrics_target, model.name, model.version)
    return counts.success if counts is not None else 0


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
