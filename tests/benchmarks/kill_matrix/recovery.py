"""What a person does after the accident: `up`, and by hand no more than what is counted here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.engine.harness.project import UNDECIDED, Project

LOCKED = "`pulumi cancel`"
FAILED_FOR_GOOD = "stands for this revision."
MOST_UPS = 6
RETRY_REASON = "the server was killed during its load test"


@dataclass(frozen=True)
class Declared:
    """What the stack file says, by release names."""

    release: str
    standby: str | None = None


@dataclass
class Recovery:
    """How many commands it took. `succeeded`: the last `up` did."""

    ups: int = 0
    cancels: int = 0
    undecided: int = 0
    """Gates that decided nothing and were asked again, as their message says."""
    retries: int = 0
    """Gates that had failed because their server was killed, asked again with `retry:`."""
    succeeded: bool = False
    output: str = ""


def recover(project: Project, declared: Declared, settings: Mapping[str, Any]) -> Recovery:
    """`up` until the declared state is reached, as far as the messages ask for it."""
    recovery = Recovery()
    while not recovery.succeeded and recovery.ups < MOST_UPS:
        run = project.start_up().wait()
        recovery.ups += 1
        recovery.succeeded = run.succeeded
        recovery.output += run.output
        if run.succeeded:
            break
        if LOCKED in run.output:
            project.cancel()
            recovery.cancels += 1
        elif UNDECIDED in run.output:
            recovery.undecided += 1
        elif FAILED_FOR_GOOD in run.output and not recovery.retries:
            project.declare_digits(
                declared.release, declared.standby, **settings, retry=RETRY_REASON
            )
            recovery.retries += 1
        else:
            break
    return recovery


def remarks(output: str) -> Iterator[str]:
    """Lines that no user should ever see."""
    for line in output.splitlines():
        if any(word in line for word in ("Traceback", "panic", "unexpected ", "defect")):
            yield line.strip()
