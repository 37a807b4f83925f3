"""Resident memory of the provider's process while it gates and switches."""

import statistics

import psutil

from tests.benchmarks.figure import Measurement, spread
from tests.benchmarks.stacks import temporary_project
from tests.engine.harness.command import PROVIDER, Command
from tests.engine.harness.waiting import wait_for

GOAL_MB = 120.0
POLL_SECONDS = 0.05


def measure_provider_memory() -> Measurement:
    """Largest resident set of any provider process during the first `up` of two servers."""
    with temporary_project() as project:
        project.declare_digits("1", standby="2")
        command = project.start_up()
        samples: list[float] = []

        def sample() -> bool:
            samples.extend(_resident_mb(command))
            return not command.is_running

        wait_for("the end of up", sample, timeout=240, poll_seconds=POLL_SECONDS)
        run = command.wait()
        assert run.succeeded, run.output
    peak = max(samples)
    return Measurement(
        value=peak,
        unit="MB resident, largest",
        goal=f"<= {GOAL_MB:g}",
        met=peak <= GOAL_MB,
        reference="the provider's process, 1 MB = 10^6 bytes, read every 0.05 s",
        runs=[peak],
        detail={"atRest": statistics.median(samples), "resident": spread(samples)},
    )


def _resident_mb(command: Command) -> list[float]:
    try:
        children = psutil.Process(command.pid).children(recursive=True)
        providers = [each for each in children if PROVIDER in " ".join(each.cmdline())]
        return [each.memory_info().rss / 1e6 for each in providers]
    except psutil.Error:
        return []  # one of them has just ended
