"""Moments of a stack's first `up`: what the engine has recorded and what is in the cloud."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.stacks import temporary_folder
from tests.cloud.harness.cloud_store import CloudObject, Operation
from tests.cloud.harness.end_state import end_state
from tests.cloud.harness.project import CloudProject
from tidegate.files import read_json, write_json

PROVIDER = "pulumi:providers:"


@dataclass(frozen=True, order=True)
class Target:
    """A resource by its type and its name in the program."""

    type: str
    name: str


@dataclass(frozen=True)
class Moment:
    """`state` as `pulumi stack export` writes it."""

    state: Mapping[str, Any]
    objects: tuple[CloudObject, ...]

    @property
    def resources(self) -> list[dict[str, Any]]:
        return list(self.state["deployment"].get("resources") or ())

    def to_json(self) -> dict[str, Any]:
        return {"state": self.state, "objects": [asdict(each) for each in self.objects]}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Moment":
        return Moment(data["state"], tuple(CloudObject(**each) for each in data["objects"]))


@dataclass(frozen=True)
class Undisturbed:
    """A stack that nothing stopped: its last moment, its resources in the order of creation."""

    last: Moment
    targets: tuple[Target, ...]
    end_state: Mapping[str, Any]

    def before(self, target: Target | None) -> Moment:
        """When everything recorded ahead of the target was made; None: when nothing was."""
        deployment = self.last.state["deployment"]
        resources = self.last.resources
        number = 0 if target is None else _index(resources, target)
        kept = resources[:number]
        known = {(each["type"], each.get("id")) for each in kept}
        state = {**self.last.state, "deployment": {**deployment, "resources": kept}}
        return Moment(state, tuple(each for each in self.last.objects if each.key in known))


@contextmanager
def sweep_project(stack: str) -> Iterator[CloudProject]:
    """A project of this stack; what is left of its processes ends with it."""
    with temporary_folder() as folder:
        project = CloudProject(folder / "p", folder.parent / "tg-bench-sdk-shapes", stack=stack)
        try:
            yield project
        finally:
            project.remove()


def undisturbed(stack: str, kept: Path) -> Undisturbed:
    """Made once and kept in the file."""
    data = read_json(kept)
    if data is None:
        with sweep_project(stack) as project:
            project.up(checkpoints=False)
            data = {
                "last": moment_of(project).to_json(),
                "targets": [{"type": each.type, "name": each.name} for each in creations(project)],
            }
        write_json(kept, data)
    targets = tuple(Target(**each) for each in data["targets"])
    last = Moment.from_json(data["last"])
    return Undisturbed(last, targets, end_state(last.resources))


def moment_of(project: CloudProject) -> Moment:
    return Moment(project.export(), tuple(project.cloud.objects()))


def set_to(project: CloudProject, moment: Moment) -> None:
    """Go to a moment; no fault is left."""
    project.fault()
    project.cloud.replace(moment.objects)
    file = project.root / "moment.json"
    file.write_text(json.dumps(moment.state), encoding="utf-8")
    project.pulumi("stack", "import", "--file", str(file), "--stack", project.stack)


def creations(project: CloudProject, seen: int = 0) -> list[Operation]:
    """Creations that began after the first `seen` operations."""
    return [
        each
        for each in project.cloud.operations()[seen:]
        if (each.phase, each.action) == ("begin", "create")
    ]


def _index(resources: list[dict[str, Any]], target: Target) -> int:
    return next(
        number
        for number, each in enumerate(resources)
        if (each["type"], each["urn"].rpartition("::")[2]) == (target.type, target.name)
    )
