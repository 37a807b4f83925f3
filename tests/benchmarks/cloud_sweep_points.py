"""One failure at one resource, each in the stack as it was just before that resource."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tests.benchmarks.cloud_sweep_moment import (
    Moment,
    Target,
    Undisturbed,
    moment_of,
    set_to,
)
from tests.cloud.harness.end_state import end_state
from tests.cloud.harness.faults import Fault
from tests.cloud.harness.project import CloudProject
from tests.engine.harness.command import Run
from tests.engine.harness.waiting import wait_for

LONG_SECONDS = 120.0
ONE_AT_A_TIME = ("--parallel", "1")
"""So that nothing but the target is under way."""


@dataclass(frozen=True)
class Outcome:
    """What became of one resource's failure.

    `resumed`: the next `up` came to the state of an undisturbed one, after no more than
    `pulumi cancel`. `orphans`: type and name of what is in the cloud and in no state.
    `refused`: what the first `up` had made stood in its way. `told`: why it did not resume.
    """

    stack: str
    way: str
    target: Target
    resumed: bool
    orphans: tuple[Target, ...] = ()
    refused: bool = False
    told: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Outcome":
        orphans = tuple(Target(**each) for each in data["orphans"])
        return Outcome(**{**data, "target": Target(**data["target"]), "orphans": orphans})


def orphans_of(project: CloudProject, moment: Moment) -> tuple[Target, ...]:
    left = project.cloud.orphans(moment.resources)
    return tuple(Target(each.type, each.name) for each in left)


def killed(project: CloudProject, target: Target) -> None:
    """The engine is killed when the resource is there and the answer is on its way."""
    project.fault(Fault("create", "delayAnswer", target.type, target.name, seconds=LONG_SECONDS))
    there = _copies(project, target)
    up = project.start_up(*ONE_AT_A_TIME)
    wait_for(f"{target}", lambda: _copies(project, target) > there, LONG_SECONDS)
    up.kill()
    up.wait()
    project.remove()  # the processes of the engine that is gone
    project.cancel()


def lost(project: CloudProject, target: Target) -> None:
    """The connection breaks before the cloud has heard of the resource."""
    _lose(project, Fault("create", "lose", target.type, target.name))


def answer_lost(project: CloudProject, target: Target) -> None:
    """The connection breaks when the resource is there."""
    _lose(project, Fault("create", "loseAnswer", target.type, target.name))


POINTS: Mapping[str, Callable[[CloudProject, Target], None]] = {
    "killed": killed,
    "lost": lost,
    "answerLost": answer_lost,
}


def run_point(project: CloudProject, made: Undisturbed, way: str, target: Target) -> Outcome:
    set_to(project, made.before(target))
    POINTS[way](project, target)
    project.fault()
    # Nothing disturbs this one, so its state need not be written at every step.
    again: Run = project.start_up(checkpoints=False).wait()
    moment = moment_of(project)
    told = difference(made.end_state, end_state(moment.resources))
    if not again.succeeded:
        errors = [each for each in again.output.splitlines() if "error:" in each]
        told = next(iter(errors), f"exit code {again.exit_code}")
    return Outcome(
        stack=project.stack,
        way=way,
        target=target,
        resumed=not told,
        orphans=orphans_of(project, moment),
        refused="already exists" in told,
        told=told,
    )


def difference(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """What of an end state is not as it should be; empty when all is."""
    urns = [urn for urn in wanted.keys() | found.keys() if wanted.get(urn) != found.get(urn)]
    return "; ".join(
        f"{urn}: {json.dumps(wanted.get(urn))} wanted, {json.dumps(found.get(urn))} found"
        for urn in sorted(urns)
    )


def _lose(project: CloudProject, fault: Fault) -> None:
    project.fault(fault)
    run = project.start_up(*ONE_AT_A_TIME).wait()
    assert not run.succeeded, run.output


def _copies(project: CloudProject, target: Target) -> int:
    there = project.cloud.objects(target.type)
    return sum(each.name == target.name for each in there)
