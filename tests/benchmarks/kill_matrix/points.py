"""One point of the matrix: prepare, promote, kill, recover, look."""

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.benchmarks.kill_matrix.checks import differences
from tests.benchmarks.kill_matrix.moments import (
    Moment,
    MomentMissedError,
    Promotion,
    wait_for_moment,
)
from tests.benchmarks.kill_matrix.recovery import Declared, recover, remarks
from tests.benchmarks.kill_matrix.scene import Scene
from tests.benchmarks.kill_matrix.victims import Victim
from tests.engine.harness.load import BackgroundLoad, LoadReport
from tests.engine.harness.project import UNDECIDED, UNDECIDED_RETRIES, Project
from tests.engine.harness.releases import publish_variant

LOAD_PER_SECOND = 60.0
SWITCH_LOAD_PER_SECOND = 120.0
"""A switch is judged by its users' requests."""
FIRST_RELEASE = 101


class Way(StrEnum):
    """What the person declares after the accident."""

    AGAIN = "again"
    REVERT = "revert"


@dataclass(frozen=True)
class Point:
    victim: Victim
    moment: Moment
    way: Way

    @property
    def name(self) -> str:
        promotion = self.moment.promotion
        return f"{self.victim.name} at '{self.moment.name}' ({promotion}), then {self.way}"


@dataclass
class PointResult:
    """What became of a point; it has converged when `problems` is empty."""

    victim: str
    moment: str
    promotion: str
    way: str
    problems: list[str] = field(default_factory=list)
    cancels: int = 0
    undecided: int = 0
    retries: int = 0
    requests: int = 0
    failed_requests: int = 0
    seconds_with_failures: float = 0.0
    """From the first failed request's start to the last one's end."""
    first_failures: list[str] = field(default_factory=list)
    interrupted_up: str = ""
    recovery_seconds: float = 0.0


class Line:
    """A stack that is promoted from release to release, each with the files of digits@2.

    Every point has a release of its own: no verdict of an earlier one stands.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self._number = FIRST_RELEASE
        self._declared = Declared("1")
        self._settings: Mapping[str, Any] = {}
        self._declare(self._declared)
        project.up()

    def run(self, point: Point) -> PointResult:
        """Carry out a point. What goes wrong is in the result."""
        result = PointResult(
            point.victim.name, point.moment.name, str(point.moment.promotion), str(point.way)
        )
        old, new = self._declared.release, self._publish()
        before = Declared(old, new) if point.moment.promotion is Promotion.SWAP else Declared(old)
        promoted = Declared(new, old) if point.moment.promotion is Promotion.SWAP else Declared(new)
        try:
            self._settings = point.moment.settings
            self._declare(before)
            self.project.settle()
            with self._load() as reports:
                self._promote_until_killed(point, result, old, promoted)
                self._recover(promoted if point.way is Way.AGAIN else before, result)
            _count(result, reports[0])
            result.problems += differences(self.project, self._declared)
        except (AssertionError, MomentMissedError, OSError) as error:
            result.problems.append(f"{type(error).__name__}: {error}")
        return result

    def _promote_until_killed(
        self, point: Point, result: PointResult, old: str, promoted: Declared
    ) -> None:
        """A gate that decides nothing before the moment comes is asked again."""
        self._declare(promoted)
        for _ in range(UNDECIDED_RETRIES):
            try:
                self._interrupt(point, result, old, promoted)
                return
            except MomentMissedError as error:
                missed = error
                if UNDECIDED not in str(error):
                    break
        raise missed

    def _interrupt(self, point: Point, result: PointResult, old: str, promoted: Declared) -> None:
        revisions = self.project.revision(old), self.project.revision(promoted.release)
        scene = Scene(self.project, self.project.start_up(), *revisions)
        try:
            wait_for_moment(point.moment, scene)
            point.victim.kill(scene)
            run = scene.command.wait()
        finally:
            if scene.command.is_running:
                scene.command.kill()
                scene.command.wait()
        result.interrupted_up = f"exit code {run.exit_code}"
        if run.exit_code > 0:
            result.interrupted_up += f"\n{run.output[-2000:]}"

    def _recover(self, declared: Declared, result: PointResult) -> None:
        begin = time.monotonic()
        self._declare(declared)
        recovery = recover(self.project, declared, self._settings)
        result.recovery_seconds = round(time.monotonic() - begin, 1)
        result.cancels = recovery.cancels
        result.undecided = recovery.undecided
        result.retries = recovery.retries
        result.problems += remarks(recovery.output)
        if not recovery.succeeded:
            result.problems.append(f"up did not succeed:\n{recovery.output[-4000:]}")

    @contextmanager
    def _load(self) -> Iterator[list[LoadReport]]:
        """A constant load; the list holds its report once the block has ended."""
        reports: list[LoadReport] = []
        with tempfile.TemporaryDirectory() as folder:
            load = BackgroundLoad(
                self.project.gateway,
                self.project.serving_root,
                Path(folder) / "load.json",
                rate_per_second=SWITCH_LOAD_PER_SECOND if self._settings else LOAD_PER_SECOND,
            )
            with load:
                yield reports
            reports.append(load.report())

    def _publish(self) -> str:
        name = str(self._number)
        self._number += 1
        publish_variant(self.project.serving_root, name, like="2")
        return name

    def _declare(self, declared: Declared) -> None:
        self._declared = declared
        self.project.declare_digits(declared.release, declared.standby, **self._settings)


def _count(result: PointResult, report: LoadReport) -> None:
    failures = report.failures
    result.requests = len(report.requests)
    result.failed_requests = len(failures)
    result.first_failures = list(dict.fromkeys(each.failure for each in failures))[:3]
    if failures:
        span = max(each.done_at for each in failures) - failures[0].sent_at
        result.seconds_with_failures = round(span, 2)
