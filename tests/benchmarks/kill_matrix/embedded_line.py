"""Points on the embedded platform."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.kill_matrix.checks import differences
from tests.benchmarks.kill_matrix.line import Line
from tests.benchmarks.kill_matrix.points import Point, PointResult
from tests.benchmarks.kill_matrix.recovery import Declared
from tests.benchmarks.stacks import temporary_project
from tests.engine.harness.load import BackgroundLoad, LoadReport
from tests.engine.harness.project import Project

LOAD_PER_SECOND = 60.0
SWITCH_LOAD_PER_SECOND = 120.0
"""A switch is judged by its users' requests."""


@contextmanager
def embedded_line() -> Iterator[Line]:
    with temporary_project() as project:
        yield EmbeddedLine(project)


class EmbeddedLine(Line):
    def __init__(self, project: Project) -> None:
        self._project = project
        super().__init__(project)

    @contextmanager
    def _load(self, point: Point, result: PointResult) -> Iterator[None]:
        """Half of the requests over HTTP, half over gRPC."""
        rate = SWITCH_LOAD_PER_SECOND if point.moment.settings else LOAD_PER_SECOND
        with tempfile.TemporaryDirectory() as folder:
            load = BackgroundLoad(
                self._project.gateway,
                self._project.serving_root,
                Path(folder) / "load.json",
                rate_per_second=rate,
            )
            with load:
                yield
            _count(result, load.report())

    def _differences(self, declared: Declared) -> list[str]:
        return differences(self._project, declared)

    def keep(self, folder: Path) -> None:
        """Logs and state, without what is large."""
        large = shutil.ignore_patterns("repository", "*.sock", "*.npz")
        for source in (self._project.root / "logs", self._project.state_folder):
            shutil.copytree(source, folder / source.name, ignore=large, symlinks=True)


def _count(result: PointResult, report: LoadReport) -> None:
    failures = report.failures
    result.requests = len(report.requests)
    result.failed_requests = len(failures)
    result.first_failures = list(dict.fromkeys(each.failure for each in failures))[:3]
    if failures:
        span = max(each.done_at for each in failures) - failures[0].sent_at
        result.seconds_with_failures = round(span, 2)
