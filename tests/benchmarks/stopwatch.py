"""Times of a program to a few milliseconds: waiting with a time limit rounds up to 50."""

import time

from tests.engine.harness.command import Command, Run

POLL_SECONDS = 0.002


def finished(command: Command) -> Run:
    """The command's run, whether it succeeded or not."""
    while command.is_running:
        time.sleep(POLL_SECONDS)
    return command.wait()


def succeeded(command: Command) -> Run:
    """The command's run. Raises AssertionError with its output when it failed."""
    run = finished(command)
    assert run.succeeded, run.output
    return run
