"""pulumi as a process that tests can wait for, interrupt and kill."""

import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

PROVIDER = "pulumi-resource-tidegate"


@dataclass(frozen=True)
class Run:
    """A command that has ended. `output` is standard output and standard error together."""

    arguments: tuple[str, ...]
    exit_code: int
    output: str
    seconds: float

    @property
    def succeeded(self) -> bool:
        return self.exit_code == 0

    @property
    def changes(self) -> bool:
        """Whether a resource was, or would be, created, updated, replaced or deleted."""
        summary = self.output.rpartition("Resources:")[2]
        return any(
            f" {word}" in summary
            for word in (
                "created",
                "updated",
                "replaced",
                "deleted",
                "to create",
                "to update",
                "to replace",
                "to delete",
            )
        )


class Command:
    """A running pulumi. Signals reach it alone: it has a session of its own."""

    def __init__(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path
    ) -> None:
        self._arguments = tuple(arguments)
        self._log = log
        self._started = time.monotonic()
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                ["pulumi", *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def provider_pid(self) -> int | None:
        """Process id of this engine's provider, None while there is none."""
        try:
            children = psutil.Process(self.pid).children(recursive=True)
            found = (child.pid for child in children if PROVIDER in " ".join(child.cmdline()))
            return next(found, None)
        except psutil.Error:
            return None

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        self._process.kill()

    def wait(self, timeout: float = 240) -> Run:
        """Wait for the end. Raises AssertionError with the output so far when it takes longer."""
        try:
            exit_code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(
                f"{self._arguments} ran for more than {timeout:g} s:\n{self.output}"
            ) from None
        seconds = time.monotonic() - self._started
        return Run(self._arguments, exit_code, self.output, seconds)
