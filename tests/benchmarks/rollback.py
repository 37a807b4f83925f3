"""Three ways back to the standby, under constant load over HTTP and gRPC."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.figure import Measurement, spread
from tests.benchmarks.stacks import say, temporary_folder, temporary_project
from tests.benchmarks.stopwatch import succeeded
from tests.engine.harness.load import BackgroundLoad, LoadReport
from tests.engine.harness.project import Project
from tests.engine.harness.releases import SERVICE
from tests.engine.harness.tidegate_command import Typed, tidegate, tidegate_decided

ROUNDS = 5
LOAD_PER_SECOND = 220.0
SETTLE_SECONDS = 0.5
NEW, OLD = "2", "1"


@dataclass(frozen=True)
class Rollback:
    """One rollback. Times are from the start of the command that is named.

    `until_moved` is when the last request that the new release answered was sent; `until_done`
    is when the stack was as its file says.
    """

    way: str
    until_moved: float
    until_done: float


def by_update(project: Project) -> None:
    """`pulumi up` of a file whose two lines were swapped before."""
    succeeded(project.start_up())


def by_service(project: Project) -> None:
    _done(tidegate(project, "rollback", SERVICE, "--only"))


def at_once(project: Project) -> None:
    _done(tidegate(project, "rollback", SERVICE, "--now"))


WAYS: dict[str, Callable[[Project], None]] = {
    "pulumi up": by_update,
    "tidegate rollback --only": by_service,
    "tidegate rollback --now": at_once,
}


def measure_rollback() -> Measurement:
    """Median seconds until users have left the new release, of each way; no request may fail."""
    rollbacks: list[Rollback] = []
    failures: list[str] = []
    requests = 0
    with temporary_project() as project, temporary_folder() as folder:
        project.declare_digits(OLD, standby=NEW)
        project.up()
        for number in range(ROUNDS):
            for way, roll_back in WAYS.items():
                _done(tidegate_decided(project, "promote", SERVICE, NEW, "--up"))
                found, report = _roll_back(project, folder, way, roll_back)
                rollbacks.append(found)
                failures += [each.failure for each in report.failures]
                requests += len(report.requests)
                say(
                    f"  round {number + 1} of {ROUNDS}, {way}: moved after "
                    f"{found.until_moved:.2f} s, done after {found.until_done:.2f} s"
                )
    moved = {way: _of(rollbacks, way, "until_moved") for way in WAYS}
    now = moved["tidegate rollback --now"]
    return Measurement(
        value=spread(now)["median"],
        unit="s from typing `tidegate rollback --now` to the last request on the new side",
        goal="0 failed requests",
        met=not failures,
        reference=f"medians of {ROUNDS} rollbacks each way at {LOAD_PER_SECOND:g} requests/s",
        runs=now,
        detail={
            "untilMovedSeconds": {way: spread(values) for way, values in moved.items()},
            "untilDoneSeconds": {way: spread(_of(rollbacks, way, "until_done")) for way in WAYS},
            "requests": requests,
            "failed": len(failures),
            "firstFailures": failures[:3],
            "loadAverage": round(os.getloadavg()[1], 1),
        },
    )


def _roll_back(
    project: Project, folder: Path, way: str, roll_back: Callable[[Project], None]
) -> tuple[Rollback, LoadReport]:
    """From a stack whose new release is live."""
    result = folder / "load.json"
    new = project.revision(NEW)
    with BackgroundLoad(
        project.gateway, project.serving_root, result, rate_per_second=LOAD_PER_SECOND
    ) as load:
        time.sleep(SETTLE_SECONDS)
        if roll_back is by_update:
            project.declare_digits(OLD, standby=NEW)
        began = time.monotonic()
        roll_back(project)
        ended = time.monotonic()
        time.sleep(SETTLE_SECONDS)
    report = load.report()
    last = max(each.sent_at for each in report.requests if each.revision == new)
    assert report.revision_by_time()[-1] == project.revision(OLD), "the traffic did not move"
    return Rollback(way, max(0.0, last - began), ended - began), report


def _of(rollbacks: Sequence[Rollback], way: str, name: str) -> list[float]:
    return [float(getattr(each, name)) for each in rollbacks if each.way == way]


def _done(typed: Typed) -> None:
    assert typed.exit_code == 0, typed.output
