"""One promotion that is to be interrupted."""

from dataclasses import dataclass

from tests.engine.harness.command import Command
from tests.engine.harness.project import Project


@dataclass(frozen=True)
class Scene:
    """A running `up` that promotes the revision `new`; `old` has the traffic when it begins."""

    project: Project
    command: Command
    old: str
    new: str

    def runs(self, program: str) -> bool:
        state = self.project.local.supervisor.state(program)
        return state is not None and state.is_up and state.pid > 0
