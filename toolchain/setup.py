"""Installs what the embedded platform needs, and what only the cluster tests need."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from toolchain import prerequisites, pulumi, venv
from toolchain.build import build, bundle, duration
from toolchain.errors import ToolchainError
from toolchain.programs import Group
from toolchain.progress import Progress
from toolchain.project import Project
from toolchain.recipes import Recipe, recipes, unbuilt


def programs_to_build(
    project: Project, tools: Path, environ: Mapping[str, str]
) -> tuple[Recipe, ...]:
    """The programs of the embedded platform that this machine does not bring itself."""
    if pulumi.problem(pulumi.look(environ.get("PATH", os.defpath), tools)) is None:
        return ()
    return recipes(Group.EMBEDDED, project.go_modules)


def programs_for_tests(project: Project) -> tuple[Recipe, ...]:
    """What only the cluster tests need: control plane, gateway, Pulumi's Kubernetes provider."""
    return recipes(Group.CLUSTER_TESTS, project.go_modules)


def step_count(
    to_build: tuple[Recipe, ...], for_tests: tuple[Recipe, ...] = (), *, cloud: bool = False
) -> int:
    """How many steps `set_up` announces."""
    return 2 + cloud + len(to_build) + len(for_tests)


def set_up(
    project: Project,
    tools: Path,
    to_build: tuple[Recipe, ...],
    progress: Progress,
    environ: Mapping[str, str],
    for_tests: tuple[Recipe, ...] = (),
    *,
    cloud: bool = False,
) -> None:
    """Check the machine, then install what is missing; the programs `for_tests` come last.

    With `cloud` the environment gets the SDKs of both clouds as well.

    Raises ToolchainError if the machine lacks something that cannot be built here.
    """
    missing = unbuilt([*to_build, *for_tests], tools)
    with progress.step("Check the machine"):
        go = prerequisites.go_version(project.go_modules) if missing else None
        go_problem = prerequisites.go_problem(go, missing)
        problems = prerequisites.machine_problems() + ([go_problem] if go_problem else [])
        if problems:
            raise ToolchainError("\n".join(problems))
    with progress.step("Python environment (.venv)"):
        venv.install(project, progress, environ)
    if cloud:
        with progress.step("Packages of the clouds (.venv)"):
            venv.install_cloud(project, progress)
    if missing:
        progress.say(
            f"      {len(missing)} to build, about {duration(missing)} on two cores; "
            "after an interruption the next run goes on from there"
        )
    for recipe in (*to_build, *for_tests):
        with progress.step(f"{recipe.program.name} {recipe.version}"):
            build(recipe, tools, progress, project.setup)
    if to_build:
        bundle(to_build, tools, progress)
    project.backend.mkdir(parents=True, exist_ok=True)
