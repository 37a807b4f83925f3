"""Every resource of the clusters' stacks fails, is interrupted or killed once; what becomes of it.

Against recorded clouds. Refusals and unhealthy creations: one stack is brought up again and again
until each of its resources has failed once; what does not depend on a failed one goes on.
Interruptions: the same, one resource at a time. Kills: a stack of its own for each of a sample,
because the engine itself loses track of what it made.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.benchmarks.figure import Measurement
from tests.benchmarks.stacks import say, temporary_folder
from tests.cloud.harness.cloud_store import Operation
from tests.cloud.harness.faults import Effect, Fault, faults_left
from tests.cloud.harness.project import CloudProject

Target = tuple[str, str]
"""Type and name of a resource."""

KILLS = 8
IN_FLIGHT_SECONDS = 1.5
LONG = 120.0
ONE_AT_A_TIME = ("--parallel", "1")


@dataclass(frozen=True)
class SweepResult:
    """`resumed` of `points` led to the state of an undisturbed `up`, without a manual edit.

    `orphans` are in the cloud and not in the state; `refused` had a name that cannot be given
    twice, and has to be imported.
    """

    stack: str
    way: str
    points: int
    resumed: int
    orphans: int
    runs: int
    refused: list[str] = field(default_factory=list)


def measure_aws_sweep() -> Measurement:
    return _measure(("aws-staging", "aws-prod"))


def measure_gcp_sweep() -> Measurement:
    return _measure(("gcp-staging", "gcp-prod"))


def _measure(stacks: Sequence[str]) -> Measurement:
    results = [each for stack in stacks for each in sweep(stack)]
    points, resumed = sum(each.points for each in results), sum(each.resumed for each in results)
    reported = [each for each in results if each.way != "killed"]
    return Measurement(
        value=100 * resumed / points,
        unit="% resumed",
        goal="100, and no orphans but of killed engines",
        met=resumed == points and not any(each.orphans for each in reported),
        reference="the end state of an undisturbed `up`",
        runs=[100 * each.resumed / each.points for each in results],
        detail={f"{each.stack} {each.way}": asdict(each) for each in results},
    )


def sweep(stack: str, kills: int = KILLS) -> Iterator[SweepResult]:
    """Every way of failing, over one stack."""
    with _project(stack) as project:
        project.up(checkpoints=False)
        undisturbed = project.end_state()
        targets = _creation_order(project)
    for way in ("refuse", "unhealthy"):
        yield _said(_failures(stack, way, targets, undisturbed))
    yield _said(_interruptions(stack, targets, undisturbed))
    sample = targets[:: max(1, len(targets) // kills)][:kills]
    yield _said(_kills(stack, sample, undisturbed))


def _failures(
    stack: str, effect: Effect, targets: Sequence[Target], undisturbed: dict[str, Any]
) -> SweepResult:
    """Each run meets at least one fault, so there are not many more runs than resources."""
    with _project(stack) as project:
        project.fault(*(Fault("create", effect, *each) for each in targets))
        runs = orphans = 0
        succeeded = False
        while not succeeded and runs <= len(targets):
            up = project.start_up("--continue-on-error", checkpoints=False).wait()
            succeeded = up.succeeded
            orphans += len(project.cloud.orphans(project.resources()))
            runs += 1
        same = succeeded and project.end_state() == undisturbed
        met = len(targets) - len(faults_left(project.cloud))
        return SweepResult(stack, effect, met, met if same else 0, orphans, runs)


def _interruptions(
    stack: str, targets: Sequence[Target], undisturbed: dict[str, Any]
) -> SweepResult:
    with _project(stack) as project:
        delays = [Fault("create", "delay", *each, IN_FLIGHT_SECONDS) for each in targets]
        project.fault(*delays)
        runs = orphans = points = 0
        while faults_left(project.cloud) and runs <= len(targets):
            up = project.start_up(*ONE_AT_A_TIME)
            seen = len(project.cloud.operations())
            project.cloud.wait_for(_is_creation, seen, LONG)
            up.interrupt()
            up.wait()
            points += 1
            orphans += len(project.cloud.orphans(project.resources()))
            runs += 1
        project.fault()
        succeeded = project.start_up(checkpoints=False).wait().succeeded
        same = succeeded and project.end_state() == undisturbed
        return SweepResult(stack, "interrupted", points, points if same else 0, orphans, runs + 1)


def _kills(stack: str, sample: Sequence[Target], undisturbed: dict[str, Any]) -> SweepResult:
    resumed = orphans = 0
    refused = []
    for type_token, name in sample:
        with _project(stack) as project:
            project.fault(Fault("create", "delayAnswer", type_token, name, LONG))
            up = project.start_up(*ONE_AT_A_TIME)
            project.cloud.wait_for(_creation_of(type_token, name), 0, LONG)
            up.kill()
            up.wait()
            project.fault()
            project.cancel()
            again = project.start_up(checkpoints=False).wait()
            orphans += len(project.cloud.orphans(project.resources()))
            if again.succeeded and project.end_state() == undisturbed:
                resumed += 1
            elif "already exists" in again.output:
                refused.append(f"{type_token} {name}")
    return SweepResult(stack, "killed", len(sample), resumed, orphans, 2 * len(sample), refused)


@contextmanager
def _project(stack: str) -> Iterator[CloudProject]:
    with temporary_folder() as folder:
        project = CloudProject(folder / "p", folder.parent / "tg-bench-sdk-shapes", stack=stack)
        try:
            yield project
        finally:
            project.remove()


def _creation_order(project: CloudProject) -> list[Target]:
    creations = filter(_is_creation, project.cloud.operations())
    return [(each.type, each.name) for each in creations]


def _is_creation(operation: Operation) -> bool:
    return (operation.phase, operation.action) == ("begin", "create")


def _creation_of(type_token: str, name: str) -> Callable[[Operation], bool]:
    return lambda operation: (
        _is_creation(operation) and (operation.type, operation.name) == (type_token, name)
    )


def _said(result: SweepResult) -> SweepResult:
    say(f"{result}")
    return result
