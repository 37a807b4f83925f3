"""Installs everything the embedded platform needs and says which folders hold it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from toolchain import prerequisites, pulumi, venv
from toolchain.build import build, bundle
from toolchain.errors import ToolchainError
from toolchain.programs import Group, Recipe, recipes
from toolchain.progress import Progress
from toolchain.project import Project


def programs_to_build(
    project: Project, tools: Path, environ: Mapping[str, str]
) -> tuple[Recipe, ...]:
    """The programs of the embedded platform that this machine does not bring itself."""
    if pulumi.problem(pulumi.look(environ.get("PATH", os.defpath), tools)) is None:
        return ()
    return recipes(Group.EMBEDDED, project.go_modules)


def step_count(to_build: tuple[Recipe, ...]) -> int:
    """How many steps `set_up` announces."""
    return 2 + len(to_build)


def set_up(
    project: Project,
    tools: Path,
    to_build: tuple[Recipe, ...],
    progress: Progress,
    environ: Mapping[str, str],
) -> None:
    """Check the machine, then install what is missing.

    Raises ToolchainError if the machine lacks something that cannot be built here.
    """
    with progress.step("Check the machine"):
        problems = prerequisites.machine_problems()
        if any(not recipe.is_built(tools) for recipe in to_build):
            go = prerequisites.go_problem(prerequisites.go_version(project.go_modules))
            problems += [go] if go else []
        if problems:
            raise ToolchainError("\n".join(problems))
    with progress.step("Python environment (.venv)"):
        venv.install(project, progress, environ)
    for recipe in to_build:
        with progress.step(f"{recipe.program.name} {recipe.version}"):
            build(recipe, tools, progress, project.setup)
    if to_build:
        bundle(to_build, tools, progress)
    project.backend.mkdir(parents=True, exist_ok=True)
