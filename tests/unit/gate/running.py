"""Gates as processes of their own."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from tidegate.gate.journal import read_events
from tidegate.gate.request import GateRequest
from tidegate.gate.verdict import Verdict

GOLDEN_REQUESTS = 8
RUN_SECONDS = 240
EVENT_SECONDS = 90
"""How long a busy machine may take for what takes seconds; each below the limit of a test."""


def start_runner(run_dir: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tidegate.gate.runner", str(run_dir)])


def run_gates(
    folder: Path, requests: Mapping[str, GateRequest], at_once: int = 2
) -> dict[str, tuple[int, Verdict]]:
    """Exit codes and verdicts by name; most of a run is waiting, so several run at once."""

    def run(name: str) -> tuple[int, Verdict]:
        return run_gate(folder / f"run-{name}", requests[name])

    with ThreadPoolExecutor(at_once) as pool:
        return dict(zip(requests, pool.map(run, requests), strict=True))


def run_gate(run_dir: Path, request: GateRequest) -> tuple[int, Verdict]:
    run_dir.mkdir(exist_ok=True)
    request.write(run_dir / "request.json")
    code = start_runner(run_dir).wait(RUN_SECONDS)
    return code, Verdict.load(run_dir / "verdict.json")


def events(run_dir: Path) -> list[dict[str, Any]]:
    return read_events(run_dir / "journal.jsonl")[0]


def wait_for_event(run_dir: Path, name: str, times: int = 1) -> None:
    deadline = time.monotonic() + EVENT_SECONDS
    while [event["event"] for event in events(run_dir)].count(name) < times:
        assert time.monotonic() < deadline, f"no event {name}: {events(run_dir)}"
        time.sleep(0.05)


def start_and_wait_for_workers(run_dir: Path, request: GateRequest) -> "subprocess.Popen[bytes]":
    run_dir.mkdir()
    request.write(run_dir / "request.json")
    runner = start_runner(run_dir)
    deadline = time.monotonic() + EVENT_SECONDS
    while not any(event.get("sent", 0) >= 50 for event in events(run_dir)):
        assert time.monotonic() < deadline and runner.poll() is None, events(run_dir)
        time.sleep(0.05)
    return runner


def worker_pids(run_dir: Path) -> list[int]:
    pids: list[int] = json.loads((run_dir / "load" / "pids.json").read_text())["workers"]
    return pids


def has_ended(pid: int) -> bool:
    """A process that nobody has waited for yet counts as ended."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
