"""Real faults on a real Triton: how often was the release promoted? The goal is never.

    python -m tests.benchmarks.gate_faults [TRIES] [FAULT …]

One JSON line: promotions, outcomes per fault, and the Clopper-Pearson bound of the rate. The
healthy control must pass each time, or the matrix would show nothing.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.clock_step import build_clock_library
from tests.benchmarks.figure import Measurement
from tests.benchmarks.gate_bench import gate_request, start_gate
from tests.benchmarks.gate_triton import BenchModel, BenchTriton, running
from tests.benchmarks.stacks import say
from tidegate.gate.journal import read_events
from tidegate.gate.statistics import upper_bound
from tidegate.gate.verdict import Outcome, Verdict

PROFILE = {
    "rate_per_second": 100,
    "duration_seconds": 8,
    "warm_up_seconds": 1,
    "deadline_seconds": 2,
    # Wide enough that the fault has to be seen for what it is, not by its latency.
    "max_error_rate": 0.5,
    "slos": {"p50": 1900},
}
STRICT = PROFILE | {"max_error_rate": 0.05}
TRIES = 5
_WAIT_SECONDS = 60.0


@dataclass
class Bench:
    """One try: a fresh Triton, its model, a folder, and the gate's process."""

    folder: Path
    server: BenchTriton
    model: BenchModel
    profile: dict[str, Any]
    environment: dict[str, str]
    workers: int = 1

    @property
    def run_dir(self) -> Path:
        return self.folder / "run"

    @property
    def fault_file(self) -> Path:
        return self.folder / "fault"

    def start(self) -> "subprocess.Popen[bytes]":
        request = gate_request(
            self.folder, self.server, self.model, self.profile, workers=self.workers
        )
        return start_gate(self.run_dir, request, env=os.environ | self.environment)

    def wait_for_load(self, requests: int = 300) -> None:
        """Until some of the judged load was sent."""
        give_up = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < give_up:
            events, _ = read_events(self.run_dir / "journal.jsonl")
            if any(event.get("sent", 0) >= requests for event in events):
                return
            time.sleep(0.05)
        raise RuntimeError("the load did not begin")

    def worker_pids(self) -> list[int]:
        path = self.run_dir / "load" / "pids.json"
        give_up = time.monotonic() + _WAIT_SECONDS
        while not path.exists() or not path.read_text():
            if time.monotonic() > give_up:
                raise RuntimeError("no worker was started")
            time.sleep(0.01)
        pids: list[int] = json.loads(path.read_text())["workers"]
        return pids


def healthy(_bench: Bench) -> None:
    """The control."""


def hung_from_the_start(bench: Bench) -> None:
    bench.fault_file.write_text("hang")


def hung_under_load(bench: Bench) -> None:
    bench.wait_for_load()
    bench.server.pause()


def empty_from_the_start(bench: Bench) -> None:
    bench.fault_file.write_text("empty")


def empty_under_load(bench: Bench) -> None:
    bench.wait_for_load()
    bench.fault_file.write_text("empty")


def zero_requests(bench: Bench) -> None:
    for pid in bench.worker_pids():
        os.kill(pid, signal.SIGKILL)


def worker_killed(bench: Bench) -> None:
    bench.wait_for_load()
    os.kill(bench.worker_pids()[0], signal.SIGKILL)


def wall_clock_stepped(bench: Bench) -> None:
    bench.wait_for_load()
    (bench.folder / "step").touch()


def restarted_under_load(bench: Bench) -> None:
    bench.wait_for_load()
    bench.server.kill()
    bench.server.start()


def other_revision(bench: Bench) -> None:
    """Another version of the model takes the same address over under load."""
    bench.wait_for_load()
    bench.server.kill()
    shutil.rmtree(bench.server.folder / "repository")
    BenchModel(bench.model.name, bench.model.size, version="2").write(
        bench.server.folder / "repository"
    )
    bench.server.start()


@dataclass(frozen=True)
class Fault:
    cause: Callable[[Bench], None]
    profile: dict[str, Any]
    before: bool = False
    workers: int = 1
    clock: int | None = None


FAULTS: dict[str, Fault] = {
    "healthy": Fault(healthy, STRICT),
    "hungFromTheStart": Fault(hung_from_the_start, STRICT, before=True),
    "hungUnderLoad": Fault(hung_under_load, STRICT),
    "emptyTensorFromTheStart": Fault(empty_from_the_start, PROFILE, before=True),
    "emptyTensorUnderLoad": Fault(empty_under_load, STRICT),
    "zeroRequests": Fault(zero_requests, PROFILE),
    "oneOfTwoWorkersKilled": Fault(worker_killed, PROFILE, workers=2),
    "onlyWorkerKilled": Fault(worker_killed, PROFILE),
    "wallClockStepped": Fault(wall_clock_stepped, PROFILE, clock=time.CLOCK_REALTIME),
    "monotonicClockStepped": Fault(wall_clock_stepped, PROFILE, clock=time.CLOCK_MONOTONIC),
    "restartedUnderLoad": Fault(restarted_under_load, PROFILE),
    "answersOfAnotherRevision": Fault(other_revision, PROFILE),
}


def one_try(fault: Fault, folder: Path, clock_library: Path) -> Verdict | None:
    """The verdict; None when the run ended without one."""
    model = BenchModel("identity", 4, parameters={"fault": str(folder / "fault")})
    environment = {}
    if fault.clock is not None:
        environment = {
            "LD_PRELOAD": str(clock_library),
            "CLOCK_STEP_FILE": str(folder / "step"),
            "CLOCK_STEP_CLOCK": str(fault.clock),
        }
    with running(folder / "triton", [model]) as server:
        bench = Bench(folder, server, model, fault.profile, environment, fault.workers)
        if fault.before:
            fault.cause(bench)
        gate = bench.start()
        if not fault.before:
            fault.cause(bench)
        try:
            gate.wait(_WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            gate.kill()
            gate.wait()
        server.resume()
    path = folder / "run" / "verdict.json"
    return Verdict.load(path) if path.exists() else None


def measure_gate_faults(tries: int = TRIES, names: Sequence[str] = ()) -> Measurement:
    """Met when no fault was promoted and the healthy server passed every time."""
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        library = build_clock_library(Path(place))
        for name in names or FAULTS:
            outcomes: Counter[str] = Counter()
            reasons: set[str] = set()
            for number in range(tries):
                verdict = one_try(FAULTS[name], Path(place) / f"{name}-{number}", library)
                outcomes[verdict.outcome if verdict else "no verdict"] += 1
                reasons.update(verdict.reasons[:1] if verdict else ())
                say(f"{name}: {verdict and verdict.summary}")
            results[name] = {"outcomes": dict(outcomes), "firstReasons": sorted(reasons)}
    promoted = {name: each["outcomes"].get(Outcome.PASS, 0) for name, each in results.items()}
    healthy_passes = promoted.pop("healthy", tries)
    total, count = sum(promoted.values()), tries * len(promoted)
    return Measurement(
        value=total,
        unit="promotions",
        met=total == 0 and healthy_passes == tries,
        goal="0, and every healthy control passes",
        reference=f"{count} tries of {len(promoted)} faults on a real Triton",
        runs=list(promoted.values()),
        detail={
            "upper95": round(upper_bound(total, count, 0.95), 4) if count else None,
            "faults": results,
        },
    )


def main(arguments: Sequence[str]) -> int:
    tries = int(arguments[0]) if arguments and arguments[0].isdigit() else TRIES
    names = [each for each in arguments if not each.isdigit()]
    measurement = measure_gate_faults(tries, names)
    print(measurement.line("gate_faults"), flush=True)
    return 0 if measurement.met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
