"""A constant load on a gateway, HTTP and gRPC together, from a process of its own."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.engine.harness.toolchain_environment import REPOSITORY
from tests.engine.harness.waiting import wait_for

STOP_SECONDS = 90


@dataclass(frozen=True)
class Answered:
    """One request. Times are of the system-wide monotonic clock, in seconds."""

    sent_at: float
    done_at: float
    protocol: str
    revision: str
    failure: str


@dataclass(frozen=True)
class LoadReport:
    """Every request of a load, in the order they were sent."""

    requests: tuple[Answered, ...]

    @property
    def failures(self) -> list[Answered]:
        return [each for each in self.requests if each.failure]

    @property
    def rate_per_second(self) -> float:
        """Requests sent per second, over the whole load."""
        return len(self.requests) / (self.requests[-1].sent_at - self.requests[0].sent_at)

    @property
    def protocols(self) -> set[str]:
        return {each.protocol for each in self.requests}

    @property
    def revisions(self) -> list[str]:
        """Revisions that answered, each where it first did."""
        return list(dict.fromkeys(each.revision for each in self.requests if each.revision))

    def revision_by_time(self) -> list[str]:
        """The revision behind each request that was answered, in the order they were sent."""
        return [each.revision for each in self.requests if each.revision]

    def revisions_sent_between(self, begin: float, end: float) -> set[str]:
        return {each.revision for each in self.requests if begin < each.sent_at < end}


class BackgroundLoad:
    """Open loop: requests leave on time, whatever became of the earlier ones."""

    def __init__(
        self,
        target: str,
        serving_root: Path,
        result: Path,
        *,
        release: str = "1",
        rate_per_second: float,
    ) -> None:
        self._result = result
        self._ready = result.with_suffix(".ready")
        self._command = [
            sys.executable,
            "-m",
            "tests.engine.harness.load_process",
            target,
            str(serving_root),
            release,
            str(rate_per_second),
            str(result),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._result.unlink(missing_ok=True)
        self._ready.unlink(missing_ok=True)
        self._process = subprocess.Popen(self._command, cwd=REPOSITORY)
        wait_for("the load's first answers", self._ready.exists)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def report(self) -> LoadReport:
        """What became of the requests, once the load has ended."""
        rows = json.loads(self._result.read_text(encoding="utf-8"))
        return LoadReport(tuple(sorted((Answered(*row) for row in rows), key=lambda a: a.sent_at)))
