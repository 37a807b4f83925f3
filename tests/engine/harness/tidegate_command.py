"""The `tidegate` command as a person at a terminal of the project's folder types it."""

import subprocess
import time
from dataclasses import dataclass

from tests.engine.harness.project import STACK, UNDECIDED, UNDECIDED_RETRIES, Project
from tests.engine.harness.toolchain_environment import VENV


@dataclass(frozen=True)
class Typed:
    """A command that has ended. `output` is standard output and standard error together."""

    exit_code: int
    output: str
    seconds: float


def start_tidegate(project: Project, *arguments: str) -> subprocess.Popen[str]:
    """Start the command on the project's stack."""
    return subprocess.Popen(
        [str(VENV / "bin" / "tidegate"), *arguments, "--stack", STACK],
        cwd=project.root,
        env=project.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def tidegate(project: Project, *arguments: str, timeout: float = 120) -> Typed:
    """Run the command to its end. Raises AssertionError when it takes longer."""
    began = time.monotonic()
    process = start_tidegate(project, *arguments)
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        raise AssertionError(f"{arguments} ran for more than {timeout:g} s:\n{output}") from None
    return Typed(process.returncode, output, time.monotonic() - began)


def tidegate_decided(project: Project, *arguments: str) -> Typed:
    """As `tidegate`; asked again while a gate of its `pulumi up` decides nothing."""
    for _ in range(UNDECIDED_RETRIES):
        typed = tidegate(project, *arguments)
        if UNDECIDED not in typed.output:
            break
    return typed
