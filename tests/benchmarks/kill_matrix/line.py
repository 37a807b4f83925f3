"""A stack that goes through one point after the other: prepare, promote, kill, recover, look."""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.benchmarks.kill_matrix.moments import MomentMissedError, Promotion, wait_for_moment
from tests.benchmarks.kill_matrix.points import Point, PointResult, Way
from tests.benchmarks.kill_matrix.recovery import Declared, recover, remarks
from tests.benchmarks.kill_matrix.scene import Scene
from tests.engine.harness.project import UNDECIDED, UNDECIDED_RETRIES, Project
from tests.engine.harness.releases import publish_variant

FIRST_RELEASE = 101


class Line(ABC):
    """A stack that is promoted from release to release, each with the files of digits@2.

    Every point has a release of its own: no verdict of an earlier one stands. What a platform
    adds are the users' load and the look at what there really is.
    """

    poll_seconds = 0.005
    """Between two looks whether the moment has come."""

    def __init__(self, project: Project) -> None:
        self._stack = project
        self._number = FIRST_RELEASE
        self._settings = self._always
        self._declared = Declared("1")
        self._declare(self._declared)
        project.up()

    @abstractmethod
    def _load(self, point: Point, result: PointResult) -> AbstractContextManager[None]:
        """Users' requests; the result counts them in the end."""

    @abstractmethod
    def _differences(self, declared: Declared) -> list[str]:
        """One sentence for everything that is not as declared."""

    @abstractmethod
    def keep(self, folder: Path) -> None:
        """Copy what tells why a point went wrong."""

    @property
    def _always(self) -> Mapping[str, Any]:
        """Settings of the service at every point, as `declare_digits` takes them."""
        return {}

    def _revision(self, release: str) -> str:
        return self._stack.revision(release)

    def run(self, point: Point) -> PointResult:
        """Carry out a point. What goes wrong is in the result."""
        result = PointResult.of(point)
        old, new = self._declared.release, self._publish()
        before = Declared(old, new) if point.moment.promotion is Promotion.SWAP else Declared(old)
        promoted = Declared(new, old) if point.moment.promotion is Promotion.SWAP else Declared(new)
        try:
            self._settings = {**self._always, **point.moment.settings}
            self._declare(before)
            self._stack.settle()
            with self._load(point, result):
                self._promote_until_killed(point, result, old, promoted)
                self._recover(promoted if point.way is Way.AGAIN else before, result)
            result.problems += self._differences(self._declared)
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
        revisions = self._revision(old), self._revision(promoted.release)
        scene = Scene(self._stack, self._stack.start_up(), *revisions)
        try:
            wait_for_moment(point.moment, scene, self.poll_seconds)
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
        recovery = recover(self._stack, declared, self._settings)
        result.recovery_seconds = round(time.monotonic() - begin, 1)
        result.cancels = recovery.cancels
        result.undecided = recovery.undecided
        result.retries = recovery.retries
        result.problems += remarks(recovery.output)
        if not recovery.succeeded:
            result.problems.append(f"up did not succeed:\n{recovery.output[-4000:]}")

    def _publish(self) -> str:
        name = str(self._number)
        self._number += 1
        publish_variant(self._stack.serving_root, name, like="2")
        return name

    def _declare(self, declared: Declared) -> None:
        self._declared = declared
        self._stack.declare_digits(declared.release, declared.standby, **self._settings)
