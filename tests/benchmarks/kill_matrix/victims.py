"""What is killed."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

from tests.benchmarks.kill_matrix.scene import Scene
from tests.engine.harness.waiting import wait_for


@dataclass(frozen=True)
class Victim:
    """`find` returns a process id, or None while there is none."""

    name: str
    find: Callable[[Scene], int | None]

    def kill(self, scene: Scene) -> None:
        """`kill -9`. Raises AssertionError when the victim does not appear."""
        pid = wait_for(self.name, lambda: self.find(scene), timeout=5, poll_seconds=0.002)
        os.kill(pid, signal.SIGKILL)


def _engine(scene: Scene) -> int | None:
    return scene.command.pid if scene.command.is_running else None


def _provider(scene: Scene) -> int | None:
    return scene.command.provider_pid()


def _program(scene: Scene, *names: str) -> int | None:
    return next((scene.project.pid(name) for name in names if scene.runs(name)), None)


def _new_triton(scene: Scene) -> int | None:
    """The server that is to take the traffic; before there is one, the one that has it."""
    return _program(scene, scene.new, scene.old)


def _old_triton(scene: Scene) -> int | None:
    return _program(scene, scene.old, scene.new)


def _envoy(scene: Scene) -> int | None:
    return _program(scene, "gateway")


def _conductor(scene: Scene) -> int | None:
    states = scene.project.local.supervisor.states()
    names = [name for name in states if name.startswith("switch-")]
    return _program(scene, *names)


def _supervisor(scene: Scene) -> int | None:
    path = scene.project.local.folder.supervisor / "supervisord.pid"
    return int(path.read_text()) if path.exists() else None


def engine() -> Victim:
    return Victim("engine", _engine)


def provider() -> Victim:
    return Victim("provider", _provider)


def new_triton() -> Victim:
    return Victim("new Triton", _new_triton)


def old_triton() -> Victim:
    return Victim("old Triton", _old_triton)


def envoy() -> Victim:
    return Victim("Envoy", _envoy)


def conductor() -> Victim:
    """The process that carries a switch out."""
    return Victim("conductor", _conductor)


def supervisor() -> Victim:
    """Every server and gate of the stack ends with it."""
    return Victim("supervisor", _supervisor)
