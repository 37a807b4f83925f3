"""The runner's end of one worker process."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tidegate.gate.checking import Revisions
from tidegate.gate.records import ROW, RowReader, Rows
from tidegate.gate.worker_messages import WorkerReport

_KILL_SECONDS = 5.0


class WorkerProcess:
    """Starts a worker, gives it orders and reads what it has settled."""

    def __init__(self, run_dir: Path, number: int, revisions: Revisions) -> None:
        self._revisions = revisions
        self._reader = RowReader(run_dir / "load" / f"{number}.rows")
        self._pending: Rows = np.empty(0, ROW)
        self._buffer = b""
        self.report: WorkerReport | None = None
        self.is_ready = self.is_lost = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tidegate.gate.worker", str(run_dir), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("a worker was started without its pipes")
        self._orders, self._messages = self._process.stdin, self._process.stdout
        os.set_blocking(self._messages.fileno(), False)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_finished(self) -> bool:
        return self.report is not None and self.report.state == "finished"

    @property
    def settled_seconds(self) -> float:
        """Infinite for a worker that has finished or was lost: nothing more will come."""
        if self.is_lost:
            return float("inf")
        if self.report is None:
            return -float("inf")
        settled = self.report.settled_seconds
        return float("inf") if settled is None else settled

    def order(self, words: str) -> None:
        try:
            self._orders.write(words.encode() + b"\n")
            self._orders.flush()
        except BrokenPipeError:
            self.is_lost = not self.has_finished

    def poll(self) -> None:
        """Read messages and settled rows, and notice when the process has ended."""
        ended = self._process.poll() is not None
        while (more := self._messages.read(1 << 16)) is not None and more:
            self._buffer += more
        lines = self._buffer.split(b"\n")
        self._buffer = lines.pop()
        for line in lines:
            if line == b'{"state": "ready"}':
                self.is_ready = True
            else:
                self.report = WorkerReport.model_validate_json(line)
        if self.report is not None:
            fresh = self._reader.read(self.report.rows)
            # Each worker counts the names it met in its own order.
            codes = [self._revisions.index(name) for name in self.report.revisions]
            stated = fresh["revision"] >= 0
            fresh["revision"][stated] = np.array([*codes, -1], np.int8)[fresh["revision"][stated]]
            self._pending = np.concatenate((self._pending, fresh))
        self.is_lost = self.is_lost or (ended and not self.has_finished)

    def take_before(self, seconds: float) -> Rows:
        """Settled rows due before a moment, not taken before, in order."""
        count = int(np.searchsorted(self._pending["intended"], seconds))
        taken, self._pending = self._pending[:count], self._pending[count:]
        return taken

    def remove_rows(self) -> None:
        """After everything was taken."""
        self._reader.remove()

    def end(self) -> None:
        """End the process and wait for it; it has nothing to save."""
        if self._process.poll() is None and not self.has_finished:
            self._process.kill()
        with contextlib.suppress(BrokenPipeError):
            self._orders.close()
        self._messages.close()
        try:
            self._process.wait(_KILL_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
