"""Traffic moved to and fro under constant load."""

import tempfile
from itertools import pairwise
from pathlib import Path

from tests.benchmarks.figure import Measurement
from tests.benchmarks.stacks import say, temporary_project
from tests.engine.harness.load import BackgroundLoad

SWAPS = 5
LOAD_PER_SECOND = 220.0
LEAST_PER_SECOND = 200.0


def measure_switch_under_load() -> Measurement:
    """Failed requests over HTTP and gRPC while release and standby are swapped."""
    with temporary_project() as project, tempfile.TemporaryDirectory() as folder:
        project.declare_digits("1", standby="2")
        project.up()
        load = BackgroundLoad(
            project.gateway,
            project.serving_root,
            Path(folder) / "load.json",
            rate_per_second=LOAD_PER_SECOND,
        )
        seconds = []
        with load:
            release, standby = "1", "2"
            for number in range(SWAPS):
                release, standby = standby, release
                project.declare_digits(release, standby=standby)
                seconds.append(project.up().seconds)
                say(f"  swap {number + 1} of {SWAPS}: {seconds[-1]:.2f} s")
        report = load.report()
        turns = _turns([each.revision for each in report.requests if each.revision])
    failed = len(report.failures)
    enough = report.rate_per_second >= LEAST_PER_SECOND
    return Measurement(
        value=failed,
        unit="failed requests",
        goal="0",
        met=failed == 0 and enough and turns >= SWAPS,
        reference=f"{SWAPS} swaps under at least {LEAST_PER_SECOND:g} requests/s, HTTP and gRPC",
        runs=[failed],
        detail={
            "requests": len(report.requests),
            "ratePerSecond": round(report.rate_per_second, 1),
            "turns": turns,
            "upSeconds": [round(each, 2) for each in seconds],
            "firstFailures": [each.failure for each in report.failures[:3]],
        },
    )


def _turns(revisions: list[str]) -> int:
    """How often the answering revision changed, in the order of sending."""
    return sum(before != after for before, after in pairwise(revisions))
