"""Pins every Python package, with hashes, for all supported Python versions in one file."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping

from toolchain.errors import ToolchainError
from toolchain.project import Project

# The policy pack has its own environment (policies/README.md) and so its own pins.
_LOCKS = (
    ("requirements.txt", ("pyproject.toml", "--extra=local", "--extra=kubernetes", "--group=dev")),
    # A file of their own: the SDKs of both clouds weigh more than all the rest, and a newcomer
    # needs none of it.
    (
        "requirements-cloud.txt",
        (
            "pyproject.toml",
            "--extra=aws",
            "--extra=gcp",
            "--group=cloud",
            "--constraint=requirements.txt",
        ),
    ),
    ("policies/requirements.txt", ("policies/requirements.in",)),
)


def compile_requirements(project: Project, environ: Mapping[str, str]) -> None:
    """Write the requirements files, keeping the pins that still fit.

    No index and no registry host is written: the files work with whatever registry pip is set to.
    Raises ToolchainError without uv.
    """
    uv = shutil.which("uv", path=environ["PATH"])
    if uv is None:
        raise ToolchainError("uv is not on PATH. Install it to compile the lock: pip install uv.")
    for output, sources in _LOCKS:
        command = [
            uv,
            "pip",
            "compile",
            *sources,
            "--universal",
            "--python-version=3.11",
            "--generate-hashes",
            "--no-header",
            "--no-annotate",
            "--no-emit-index-url",
            "--no-emit-find-links",
            "--quiet",
            f"--output-file={output}",
        ]
        if subprocess.run(command, cwd=project.root, env=environ, check=False).returncode != 0:
            raise ToolchainError(f"uv could not compile {output}; see above.")
