"""Pins every Python package, with hashes, for all supported Python versions in one file."""

from __future__ import annotations

import shutil
import subprocess

from toolchain.errors import ToolchainError
from toolchain.project import Project


def compile_requirements(project: Project) -> None:
    """Write requirements.txt from pyproject.toml, keeping the pins that still fit.

    No index and no registry host is written: the file works with whatever registry pip is set to.
    Raises ToolchainError without uv.
    """
    uv = shutil.which("uv")
    if uv is None:
        raise ToolchainError("uv is not on PATH. Install it to compile the lock: pip install uv.")
    command = [
        uv,
        "pip",
        "compile",
        "pyproject.toml",
        "--extra=local",
        "--group=dev",
        "--universal",
        "--python-version=3.11",
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
        "--no-emit-index-url",
        "--no-emit-find-links",
        "--quiet",
        "--output-file=requirements.txt",
    ]
    if subprocess.run(command, cwd=project.root, check=False).returncode != 0:
        raise ToolchainError("uv could not resolve the packages of pyproject.toml; see above.")
