"""The environment in which the project's programs run."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from toolchain.project import Project


def search_path(first: Iterable[Path], path: str) -> str:
    """Put folders in front of a PATH, each once."""
    front = list(dict.fromkeys(map(str, first)))
    rest = [entry for entry in path.split(os.pathsep) if entry and entry not in front]
    return os.pathsep.join([*front, *rest])


def settings(
    project: Project, tool_folders: Iterable[Path], environ: Mapping[str, str]
) -> dict[str, str]:
    """The variables that differ from `environ`: what the user has set stays."""
    chosen = {
        "PATH": search_path([project.venv_bin, *tool_folders], environ.get("PATH", os.defpath)),
        "VIRTUAL_ENV": str(project.venv),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # Nothing is fetched behind the user's back: the plugins are part of the project.
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
    backend = environ.get("PULUMI_BACKEND_URL")
    if not backend:
        backend = chosen["PULUMI_BACKEND_URL"] = f"file://{project.backend}"
    has_passphrase = {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & set(environ)
    if backend.startswith("file://") and not has_passphrase:
        # Pulumi asks for one otherwise, and the local stack holds no secret.
        chosen["PULUMI_CONFIG_PASSPHRASE"] = ""
    return chosen


def exports(chosen: Mapping[str, str]) -> str:
    """Write variables as lines for a POSIX shell's `eval`."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in chosen.items())
