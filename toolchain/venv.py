"""The project's Python environment: `.venv`, exactly what requirements.txt pins."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from toolchain import exclusive
from toolchain.interpreter import NEWEST, OLDEST
from toolchain.progress import Progress
from toolchain.project import Project

_STAMP = "installed.sha256"
_CLOUD_STAMP = "installed-cloud.sha256"


def inputs_digest(files: Iterable[Path]) -> str:
    """SHA-256 over names and contents of the files an environment is made from."""
    digest = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def wanted_digest(project: Project) -> str:
    """What the stamp of an up-to-date environment says."""
    return inputs_digest([project.root / "requirements.txt", project.root / "pyproject.toml"])


def python_version(python: Path) -> tuple[int, int] | None:
    """Ask an interpreter with pip for its (major, minor) version; None if it does not run."""
    code = (
        "import importlib.util, sys\n"
        "print(*sys.version_info[:2]) if importlib.util.find_spec('pip') else sys.exit(1)"
    )
    try:
        asked = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return None
    if asked.returncode != 0:
        return None
    major, minor = asked.stdout.split()
    return int(major), int(minor)


def must_be_created(
    found: tuple[int, int] | None, named: tuple[int, int] | None, *, complete: bool
) -> bool:
    """Whether an environment with Python `found` (None: broken or absent) is to be made anew.

    A `complete` one is kept, whatever `toolchain/run` prefers today, unless the user `named`
    another version by TIDEGATE_PYTHON. In one whose installation was interrupted a package may
    be there by half, which pip does not notice.
    """
    if not complete or found is None or not OLDEST <= found <= NEWEST:
        return True
    return named is not None and named != found


def is_current(project: Project) -> bool:
    """Whether the environment was completely installed from the present pins."""
    stamp = project.venv / _STAMP
    return stamp.is_file() and stamp.read_text() == wanted_digest(project)


def install(project: Project, progress: Progress, environ: Mapping[str, str]) -> None:
    """Bring `.venv` to the pins; a second run does nothing, an interrupted one is begun again.

    What was downloaded before lies in pip's cache. Raises ToolchainError with the end of pip's log
    if the installation fails.
    """
    named = sys.version_info[:2] if environ.get("TIDEGATE_PYTHON") else None
    with exclusive.lock(project.setup, progress.say_waiting):
        stamp = project.venv / _STAMP
        found = python_version(project.venv_bin / "python")
        create = must_be_created(found, named, complete=stamp.is_file())
        if is_current(project) and not create:
            return
        # It comes back when everything is installed.
        stamp.unlink(missing_ok=True)
        _install(project, progress, create=create)
        stamp.write_text(wanted_digest(project))


def install_cloud(project: Project, progress: Progress) -> None:
    """Add the SDKs of both clouds and what judges their use; a second run does nothing.

    Comes after `install`, which forgets it together with an environment that is made anew. Raises
    ToolchainError if the installation fails.
    """
    with exclusive.lock(project.setup, progress.say_waiting):
        stamp = project.venv / _CLOUD_STAMP
        wanted = inputs_digest([project.root / "requirements-cloud.txt"])
        if stamp.is_file() and stamp.read_text() == wanted:
            return
        stamp.unlink(missing_ok=True)
        _pip(project, progress, "cloud", "--require-hashes", "-r", "requirements-cloud.txt")
        stamp.write_text(wanted)


def _pip(project: Project, progress: Progress, name: str, *arguments: str) -> None:
    pip = (project.venv_bin / "python", "-m", "pip", "install", "--progress-bar=off", "--no-input")
    log = project.setup / f"{name}.log"
    progress.run((*pip, *arguments), log=log, cwd=project.root)


def _install(project: Project, progress: Progress, *, create: bool) -> None:
    if create:
        command = (sys.executable, "-m", "venv", "--clear", project.venv)
        progress.run(command, log=project.setup / "venv.log", cwd=project.root)
    _pip(project, progress, "packages", "--require-hashes", "--requirement", "requirements.txt")
    _pip(project, progress, "editable", "--no-deps", "--no-build-isolation", "--editable", ".")
