"""Steps a person can follow: which one runs, how long it has taken, what its program says."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from toolchain.errors import ToolchainError

HEARTBEAT_SECONDS = 10.0
LOG_LINES_SHOWN = 20


@dataclass(frozen=True)
class StepTime:
    """How long one finished step took."""

    title: str
    seconds: float


@dataclass
class Progress:
    """Writes numbered steps to `out` and keeps their times.

    `total` is the number of steps announced in `[n/total]`.
    """

    out: TextIO
    total: int
    times: list[StepTime] = field(default_factory=list)

    def say(self, line: str) -> None:
        print(line, file=self.out, flush=True)

    def say_waiting(self) -> None:
        self.say("      waiting for another installation to end")

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        self.say(f"[{len(self.times) + 1}/{self.total}] {title}")
        start = time.monotonic()
        yield
        self.times.append(StepTime(title, time.monotonic() - start))

    def run(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        cwd: Path,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Run a program, its output in `log`, and report every few seconds that it lives.

        Raises ToolchainError with the end of the log if the program fails.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        start = time.monotonic()
        with log.open("w") as output:
            process = subprocess.Popen(
                list(map(str, command)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=environ,
            )
            try:
                status = self._wait(process, log, start)
            except BaseException:
                # Ctrl-C reaches the program too; it must be gone before its files are removed.
                process.terminate()
                process.wait()
                raise
        if status != 0:
            raise ToolchainError(
                f"{Path(command[0]).name} failed with exit code {status}. "
                f"The end of {log}:\n{tail(log, LOG_LINES_SHOWN)}"
            )

    def _wait(self, process: subprocess.Popen[bytes], log: Path, start: float) -> int:
        while True:
            try:
                return process.wait(timeout=HEARTBEAT_SECONDS)
            except subprocess.TimeoutExpired:
                elapsed = time.monotonic() - start
                self.say(f"      {elapsed:4.0f} s  {tail(log, 1)[:80]}")


def tail(log: Path, lines: int) -> str:
    """The last lines of a log file that are not empty."""
    written = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return "\n".join(written[-lines:])


def time_table(times: Sequence[StepTime]) -> str:
    """Show where the time went, one step a line, the sum last."""
    rows = [*times, StepTime("total", sum(step.seconds for step in times))]
    width = max(len(step.title) for step in rows)
    return "\n".join(f"  {step.title:<{width}}  {step.seconds:7.1f} s" for step in rows)
