"""Brings a stack up and down with the pulumi program, step by step in front of the user."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType

from toolchain import state_lock
from toolchain.errors import ToolchainError
from toolchain.progress import Progress, time_table
from toolchain.project import Project

UP_STEPS = 3
DOWN_STEPS = 2
# What `tidegate predict` shows at the end of `make up`.
SERVICE = "digits"


def up(project: Project, stack: str, progress: Progress, environ: Mapping[str, str]) -> None:
    """Create or update the stack, then show what is live and one real prediction.

    Raises ToolchainError if a step fails; the program that failed has said why.
    """
    with progress.step(f"pulumi up ({stack}): servers, gate, traffic"):
        # --create makes a new stack and takes one that exists.
        _run(["pulumi", "stack", "select", "--create", stack], project, environ)
        _run_pulumi(["pulumi", "up", "--yes", "--stack", stack], project, stack, environ)
    with progress.step("What is live"):
        _run(["tidegate", "status", "--stack", stack], project, environ)
    with progress.step("One prediction through the gateway"):
        _run(["tidegate", "predict", SERVICE, "--stack", stack], project, environ)
    progress.say(f"\nWhere the time went:\n{time_table(progress.times)}")


def down(project: Project, stack: str, progress: Progress, environ: Mapping[str, str]) -> None:
    """Destroy the stack's resources, forget the stack, and check that nothing is left.

    The stack's settings file stays. Raises ToolchainError if a step fails or something remains.
    """
    with progress.step(f"pulumi destroy ({stack})"):
        if stack in _stacks(project, environ):
            command = ["pulumi", "destroy", "--yes", "--stack", stack]
            _run_pulumi(command, project, stack, environ)
            command = ["pulumi", "stack", "rm", "--yes", "--preserve-config", "--stack", stack]
            _run(command, project, environ)
        else:
            progress.say(f"      there is no stack {stack}")
    with progress.step("Check that nothing is left"):
        _run(["tidegate", "doctor", "--leftovers", "--stack", stack], project, environ)


def stack_names(listed: str) -> frozenset[str]:
    """Read `pulumi stack ls --json`; a name may be qualified as organization/project/stack."""
    return frozenset(str(stack["name"]).rsplit("/", 1)[-1] for stack in json.loads(listed))


def _stacks(project: Project, environ: Mapping[str, str]) -> frozenset[str]:
    listed = subprocess.run(
        ["pulumi", "stack", "ls", "--json"],
        cwd=project.root,
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        raise ToolchainError("pulumi could not list the stacks; see above.")
    return stack_names(listed.stdout)


def _run(command: Sequence[str], project: Project, environ: Mapping[str, str]) -> None:
    status = subprocess.run(command, cwd=project.root, env=environ, check=False).returncode
    if status != 0:
        raise ToolchainError(f"`{' '.join(command)}` ended with exit code {status}.")


def _run_pulumi(
    command: Sequence[str], project: Project, stack: str, environ: Mapping[str, str]
) -> None:
    """Run an update, which must not be left behind half done when the user interrupts it."""
    with _signals_left_to_pulumi() as started:
        started.append(subprocess.Popen(command, cwd=project.root, env=environ))
        status = started[0].wait()
    if status != 0:
        hint = state_lock.hint(project.backend, stack)
        raise ToolchainError(
            f"`{' '.join(command)}` ended with exit code {status}." + (f"\n{hint}" if hint else "")
        )


@contextmanager
def _signals_left_to_pulumi() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Wait for the processes put into the list to end by themselves.

    Ctrl-C reaches pulumi from the terminal: once more from here and it would stop without finishing
    what runs. SIGTERM is sent to one process only, so it is passed on, as the interrupt that
    pulumi answers by finishing what runs.
    """

    started: list[subprocess.Popen[bytes]] = []

    def pass_on(_signal: int, _frame: FrameType | None) -> None:
        for process in started:
            process.send_signal(signal.SIGINT)

    def ignore(_signal: int, _frame: FrameType | None) -> None:
        return

    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, ignore),
        signal.SIGTERM: signal.signal(signal.SIGTERM, pass_on),
    }
    try:
        yield started
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
