"""A project with a stack of its own, driven through the real pulumi against recorded clouds."""

import copy
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.cloud.harness.cloud_store import CloudStore
from tests.cloud.harness.end_state import end_state
from tests.cloud.harness.faults import Fault, set_faults
from tests.engine.harness.command import Command, Run
from tests.engine.harness.processes import kill_all
from tests.engine.harness.toolchain_environment import REPOSITORY, VENV, pulumi_environment
from tests.engine.harness.waiting import wait_for

PACKAGES = ("aws", "gcp", "kubernetes")
COPIED = ("Pulumi.yaml", "infra", "stacks", "serving", "loadtests")
# Makes large runs three times faster; a killed engine then leaves an empty state.
WITHOUT_CHECKPOINTS = {"PULUMI_EXPERIMENTAL": "1", "PULUMI_SKIP_CHECKPOINTS": "1"}


class CloudProject:
    """One project folder, one file backend, one stack, one cloud.

    `program`: files of a project of the test's own, `Pulumi.yaml` and `stacks` aside; without, it
    is a copy of the repository's. `cache` keeps what was found out about SDKs between projects.
    """

    def __init__(
        self, root: Path, cache: Path, *, stack: str = "test", program: str | None = None
    ) -> None:
        self.root, self.stack = root, stack
        self._log_count = 0
        root.mkdir(parents=True, exist_ok=True)
        (root / "logs").mkdir()
        self.cloud = CloudStore(root / "cloud")
        if program is None:
            _copy_repository(root)
        else:
            _write_project(root, program)
        (root / ".venv").symlink_to(VENV)
        self.environment = pulumi_environment(root / "pulumi-home", root / "backend")
        for package in PACKAGES:
            write_plugin(self.programs, package, root / "cloud", cache)
        path = os.pathsep.join([str(self.programs), self.environment["PATH"]])
        # A library of the repository is imported from there, whatever is installed.
        sources = os.pathsep.join([str(REPOSITORY / "components"), str(REPOSITORY)])
        self.environment |= {"PATH": path, "PYTHONPATH": sources}
        if not self.stack_file.exists():
            self.declare({})
        self.pulumi("stack", "init", stack)

    def beside(self, stack: str) -> "CloudProject":
        """Another stack of the same project, in the same backend and the same cloud."""
        other = copy.copy(self)
        other.stack = stack
        other.declare({})
        other.pulumi("stack", "init", stack)
        return other

    @property
    def programs(self) -> Path:
        """What pulumi and its plugins find before anything else on PATH."""
        return self.root / "bin"

    # -- what is declared ---------------------------------------------------------------------

    @property
    def stack_file(self) -> Path:
        return self.root / "stacks" / f"Pulumi.{self.stack}.yaml"

    def declare(self, config: Mapping[str, Any]) -> None:
        """Write the stack's configuration."""
        self.stack_file.parent.mkdir(exist_ok=True)
        before = self.declared() if self.stack_file.exists() else {}
        kept = {name: value for name, value in before.items() if name != "config"}
        text = yaml.safe_dump({**kept, "config": dict(config)}, sort_keys=False)
        self.stack_file.write_text(text, encoding="utf-8")

    def declared(self) -> dict[str, Any]:
        """Content of the stack file."""
        return dict(yaml.safe_load(self.stack_file.read_text(encoding="utf-8")) or {})

    def write_program(self, source: str) -> None:
        """Another program of the test's own."""
        (self.root / "__main__.py").write_text(source, encoding="utf-8")

    def fault(self, *faults: Fault) -> None:
        """From now on these faults happen, and no others."""
        set_faults(self.cloud, faults)

    # -- pulumi -------------------------------------------------------------------------------

    def start(self, *arguments: str, checkpoints: bool = True) -> Command:
        """Start pulumi and return at once."""
        self._log_count += 1
        log = self.root / "logs" / f"{self.stack}-{self._log_count:03d}-{arguments[0]}.log"
        extra = {} if checkpoints else WITHOUT_CHECKPOINTS
        return Command(
            (*arguments, "--non-interactive", "--color", "never"),
            self.root,
            {**self.environment, **extra},
            log,
        )

    def pulumi(self, *arguments: str, checkpoints: bool = True) -> Run:
        """Run pulumi to its end. Raises AssertionError with the output when it fails."""
        run = self.start(*arguments, checkpoints=checkpoints).wait()
        assert run.succeeded, run.output
        return run

    def start_up(self, *extra: str, checkpoints: bool = True) -> Command:
        arguments = ("up", "--yes", "--skip-preview", "--stack", self.stack, *extra)
        return self.start(*arguments, checkpoints=checkpoints)

    def up(self, *, expect_failure: bool = False, checkpoints: bool = True) -> Run:
        """`pulumi up`; without checkpoints it is faster, and must not be killed."""
        run = self.start_up(checkpoints=checkpoints).wait()
        assert run.succeeded is not expect_failure, run.output
        assert "Traceback" not in run.output, run.output
        return run

    def preview(self, *, expect_failure: bool = False) -> Run:
        run = self.start("preview", "--diff", "--stack", self.stack).wait()
        assert run.succeeded is not expect_failure, run.output
        return run

    def steps(self) -> list[tuple[str, str]]:
        """Operation and URN of every step that an `up` would take, unchanged resources too."""
        run = self.pulumi("preview", "--json", "--show-sames", "--stack", self.stack)
        return steps_of(run.output)

    def destroy(self, *, checkpoints: bool = True) -> Run:
        arguments = ("destroy", "--yes", "--skip-preview", "--stack", self.stack)
        return self.pulumi(*arguments, checkpoints=checkpoints)

    def adopt(self, type_token: str, name: str, object_id: str) -> Run:
        """`pulumi import`: record what is in the cloud already."""
        options = ("--yes", "--skip-preview", "--protect=false", "--generate-code=false")
        return self.pulumi("import", *options, "--stack", self.stack, type_token, name, object_id)

    def unprotect(self) -> Run:
        return self.pulumi("state", "unprotect", "--all", "--yes", "--stack", self.stack)

    def cancel(self) -> Run:
        """Remove the lock of an engine that was killed."""
        return self.pulumi("cancel", "--yes", "--stack", self.stack)

    def export(self) -> dict[str, Any]:
        """The state as `pulumi stack export` writes it."""
        text = self.pulumi("stack", "export", "--stack", self.stack).output
        return dict(json.loads(text[text.index("{") :]))

    def deployment(self) -> dict[str, Any]:
        return dict(self.export()["deployment"])

    def resources(self) -> list[dict[str, Any]]:
        """What the engine has recorded: type, urn, id, inputs and outputs of each resource."""
        return list(self.deployment().get("resources") or [])

    def outputs(self) -> dict[str, Any]:
        text = self.pulumi("stack", "output", "--json", "--stack", self.stack).output
        return dict(json.loads(text[text.index("{") :]))

    def end_state(self) -> dict[str, Any]:
        """Equal for two runs that came to the same end, however often something was made anew."""
        return end_state(self.resources())

    # -- the end ------------------------------------------------------------------------------

    def remove(self) -> list[str]:
        """End what is left of it; returns what had to be killed. The folder stays."""
        return kill_all(self.root)


def interrupt(up: Command) -> None:
    """What Ctrl-C does; returns when pulumi has taken the signal."""
    up.interrupt()
    wait_for("the signal's being heard", lambda: "^C received" in up.output, 60)


def steps_of(output: str) -> list[tuple[str, str]]:
    """Operation and URN of every step in what `pulumi preview --json` wrote, warnings and all."""
    return [(each["op"], each["urn"]) for each in digest_of(output)["steps"]]


def digest_of(output: str) -> dict[str, Any]:
    """The object in what `pulumi preview --json` wrote, whatever warnings stand before it."""
    start = re.search(r"^\{", output, re.MULTILINE)
    assert start is not None, output
    digest, _ = json.JSONDecoder().raw_decode(output, start.start())
    return dict(digest)


def _copy_repository(root: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in COPIED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=ignored)
        else:
            shutil.copyfile(source, root / name)


def _write_project(root: Path, program: str) -> None:
    description = {
        "name": "recorded",
        "main": ".",
        "stackConfigDir": "stacks",
        "runtime": {"name": "python", "options": {"virtualenv": ".venv"}},
    }
    (root / "Pulumi.yaml").write_text(yaml.safe_dump(description), encoding="utf-8")
    (root / "__main__.py").write_text(program, encoding="utf-8")


def write_plugin(folder: Path, package: str, cloud: Path, cache: Path) -> None:
    """Write the program that the engine finds on PATH and takes for the cloud's provider."""
    folder.mkdir(exist_ok=True)
    plugin = folder / f"pulumi-resource-{package}"
    words = [sys.executable, "-m", "tests.cloud.harness.plugin", package, str(cloud), str(cache)]
    quoted = " ".join(f"'{each}'" for each in words)
    plugin.write_text(
        f"#!/bin/sh\nPYTHONPATH='{REPOSITORY}/components:{REPOSITORY}' exec {quoted} \"$@\"\n"
    )
    plugin.chmod(0o755)
