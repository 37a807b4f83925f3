"""A program of the cluster as a process that can be awaited, stopped, killed and started again."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

START_SECONDS = 180.0
STOP_SECONDS = 10.0
TAIL_BYTES = 3000


class ServerEnded(AssertionError):
    """A program of the cluster ended by itself or did not become ready."""


def tail(log: Path) -> str:
    """The last lines of a log, empty when there is none."""
    if not log.exists():
        return ""
    return log.read_bytes()[-TAIL_BYTES:].decode(errors="replace")


class ServerProcess:
    """One program in the cluster's network. Its output is in `log`, across restarts."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as stream:
            # A session of its own: an interrupt at the terminal ends the tests, and they this.
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                env=self._environment,
                start_new_session=True,
            )

    def wait_until(self, ready: Callable[[], bool], timeout: float = START_SECONDS) -> None:
        """Wait until `ready` is true. Raises ServerEnded with the end of the log."""
        deadline = time.monotonic() + timeout
        while not ready():
            if self._process is None or self._process.poll() is not None:
                raise ServerEnded(f"{self.name} ended; its log ends with:\n{tail(self.log)}")
            if time.monotonic() > deadline:
                raise ServerEnded(
                    f"{self.name} is not ready after {timeout:g} s; "
                    f"its log ends with:\n{tail(self.log)}"
                )
            time.sleep(0.05)

    def stop(self) -> None:
        """Ask it to end, and kill it when it does not."""
        if self._process is None:
            return
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None
