"""A Pulumi program that declares nothing: what the engine itself costs."""

from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.stopwatch import succeeded
from tests.engine.harness.command import Command, Run
from tests.engine.harness.toolchain_environment import VENV, pulumi_environment

STACK = "empty"
PULUMI_YAML = """name: empty
runtime:
  name: python
  options:
    virtualenv: .venv
"""


class EmptyProgram:
    """A project of its own with the same Python environment, engine and kind of backend."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._environment: Mapping[str, str] = pulumi_environment(
            root / "pulumi-home", root / "backend"
        )
        (root / "Pulumi.yaml").write_text(PULUMI_YAML)
        (root / "__main__.py").write_text("import pulumi\n")
        (root / ".venv").symlink_to(VENV)
        self._run("stack", "init", STACK)

    def up(self) -> Run:
        """`up`. Raises AssertionError when it fails."""
        return self._run("up", "--yes", "--skip-preview", "--stack", STACK)

    def _run(self, *arguments: str) -> Run:
        command = (*arguments, "--non-interactive", "--color", "never")
        return succeeded(Command(command, self._root, self._environment, self._root / "log"))
