"""Starts a runner for a run folder and follows its journal."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tidegate.gate.journal import read_events
from tidegate.gate.runner import EXIT_ERROR

_POLL_SECONDS = 0.2


def run_in_child(run_dir: Path, on_event: Callable[[dict[str, Any]], None]) -> int:
    """Run the gate in a process of its own until it ends, and return its exit code.

    A keyboard interrupt cancels the run; the runner then ends without a verdict.
    """
    journal = run_dir / "journal.jsonl"
    with (run_dir / "runner.log").open("ab") as log:
        # A session of its own: Ctrl-C reaches this process only, which then cancels in order.
        runner = subprocess.Popen(
            [sys.executable, "-m", "tidegate.gate.runner", str(run_dir)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    offset = 0
    while True:
        ended = runner.poll() is not None
        events, offset = read_events(journal, offset)
        for event in events:
            on_event(event)
        if ended:
            # A verdict's code without a verdict is a runner that broke down.
            decided = (run_dir / "verdict.json").exists()
            return runner.returncode if decided or runner.returncode > 3 else EXIT_ERROR
        try:
            time.sleep(_POLL_SECONDS)
        except KeyboardInterrupt:
            runner.send_signal(signal.SIGTERM)
