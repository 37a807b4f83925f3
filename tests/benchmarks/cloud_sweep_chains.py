"""One failure at every resource of a stack, many in one run, run by run until all have been met."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.benchmarks.cloud_sweep_moment import (
    Moment,
    Target,
    Undisturbed,
    creations,
    moment_of,
)
from tests.benchmarks.cloud_sweep_points import LONG_SECONDS, Outcome, difference, orphans_of
from tests.cloud.harness.end_state import end_state
from tests.cloud.harness.faults import Effect, Fault, faults_left, release
from tests.cloud.harness.project import CloudProject, interrupt
from tests.engine.harness.command import Command, Run

SETTLED_SECONDS = 1.0
DELAY_SECONDS = 2.0


@dataclass(frozen=True)
class Progress:
    """How far a chain has come: `met` are the resources whose failure has happened.

    `unrecorded`: they were under way in an interrupted run whose state does not know them.
    """

    moment: Moment
    met: tuple[Target, ...] = ()
    orphans: tuple[Target, ...] = ()
    unrecorded: tuple[Target, ...] = ()
    runs: int = 0
    ended: bool = False

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "moment": self.moment.to_json()}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Progress":
        lists = {
            name: tuple(Target(**each) for each in data[name])
            for name in ("met", "orphans", "unrecorded")
        }
        return Progress(**{**data, **lists, "moment": Moment.from_json(data["moment"])})


Step = Callable[[CloudProject, Sequence[Target]], tuple[Run, Sequence[Target]]]
"""One `up`, in which failures of these resources wait; returns those that happened."""


def _failing(effect: Effect) -> Step:
    """What does not depend on a failed resource goes on."""

    def step(project: CloudProject, left: Sequence[Target]) -> tuple[Run, Sequence[Target]]:
        project.fault(*(Fault("create", effect, each.type, each.name) for each in left))
        run = project.start_up("--continue-on-error").wait()
        still = {(each.type, each.name) for each in faults_left(project.cloud)}
        return run, [each for each in left if (each.type, each.name) not in still]

    return step


def _interrupted(project: CloudProject, left: Sequence[Target]) -> tuple[Run, Sequence[Target]]:
    """One SIGINT while everything under way has been made and not yet answered."""
    project.fault(*_delays(left, LONG_SECONDS))
    seen = len(project.cloud.operations())
    up = project.start_up()
    if not _is_settled(up, project, seen):
        return up.wait(), ()
    interrupt(up)
    release(project.cloud)
    run = up.wait()
    begun = {(each.type, each.name) for each in creations(project, seen)}
    return run, [each for each in left if (each.type, each.name) in begun]


def _delayed(project: CloudProject, left: Sequence[Target]) -> tuple[Run, Sequence[Target]]:
    """Every answer is late, and nothing else goes wrong."""
    project.fault(*_delays(left, DELAY_SECONDS))
    return project.start_up().wait(), left


CHAINS: Mapping[str, Step] = {
    "refused": _failing("refuse"),
    "unhealthy": _failing("unhealthy"),
    "interrupted": _interrupted,
    "delayed": _delayed,
}


def next_run(
    project: CloudProject, way: str, targets: Sequence[Target], progress: Progress
) -> Progress:
    """One `up` more; the project is at the moment that the progress tells."""
    left = [each for each in targets if each not in progress.met]
    run, met = CHAINS[way](project, left)
    moment = moment_of(project)
    recorded = {(each["type"], each["urn"].rpartition("::")[2]) for each in moment.resources}
    unrecorded = () if way == "refused" else _missing(met, recorded)
    return Progress(
        moment=moment,
        met=(*progress.met, *met),
        orphans=tuple(dict.fromkeys((*progress.orphans, *orphans_of(project, moment)))),
        unrecorded=(*progress.unrecorded, *unrecorded),
        runs=progress.runs + 1,
        ended=run.succeeded or not met,
    )


def outcomes(stack: str, way: str, made: Undisturbed, progress: Progress) -> Iterator[Outcome]:
    """One for each resource that has met its failure."""
    told = difference(made.end_state, end_state(progress.moment.resources))
    for each in progress.met:
        orphans = tuple(one for one in progress.orphans if one == each)
        resumed = not told and each not in progress.unrecorded
        yield Outcome(stack, way, each, resumed, orphans, told=told)


def _missing(met: Sequence[Target], recorded: set[tuple[str, str]]) -> tuple[Target, ...]:
    return tuple(each for each in met if (each.type, each.name) not in recorded)


def _delays(targets: Sequence[Target], seconds: float) -> list[Fault]:
    return [
        Fault("create", "delayAnswer", each.type, each.name, seconds=seconds) for each in targets
    ]


def _is_settled(up: Command, project: CloudProject, seen: int) -> bool:
    """Whether creations are under way and no further ones begin; False when the `up` has ended."""
    count, since = 0, time.monotonic()
    while up.is_running:
        now = len(creations(project, seen))
        if now != count:
            count, since = now, time.monotonic()
        elif count and time.monotonic() - since > SETTLED_SECONDS:
            return True
        time.sleep(0.1)
    return False
