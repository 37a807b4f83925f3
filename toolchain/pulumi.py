"""Which pulumi is used: the one on PATH if it works with this project, else one built here."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from toolchain import versions

OLDEST_PULUMI: versions.Version = (3, 200, 0)


@dataclass(frozen=True)
class Found:
    """What of Pulumi is on PATH; None for what is not."""

    pulumi: Path | None
    printed_version: str | None
    language_host: Path | None
    launcher: Path | None


def problem(found: Found) -> str | None:
    """Say why the Pulumi on PATH is not used; None if it is."""
    if found.pulumi is None:
        return "pulumi is not on PATH"
    version = versions.parse(found.printed_version or "")
    if version is None:
        return f"{found.pulumi} does not tell its version"
    if version < OLDEST_PULUMI:
        oldest = versions.show(OLDEST_PULUMI)
        return f"{found.pulumi} is {versions.show(version)}; {oldest} or newer is needed"
    if found.language_host is None:
        return f"{found.pulumi} has no pulumi-language-python on PATH"
    if found.launcher is None:
        return f"{found.language_host} has no pulumi-language-python-exec beside it"
    return None


def look(path: str, tools: Path) -> Found:
    """Look for Pulumi in the folders of a PATH, without those of the tool cache."""
    folders = [entry for entry in path.split(os.pathsep) if entry]
    own = os.pathsep.join(entry for entry in folders if not Path(entry).is_relative_to(tools))
    pulumi = _which("pulumi", own)
    host = _which("pulumi-language-python", own)
    beside = os.pathsep.join([str(host.resolve().parent), own]) if host else own
    return Found(
        pulumi=pulumi,
        printed_version=_version(pulumi) if pulumi else None,
        language_host=host,
        launcher=_which("pulumi-language-python-exec", beside) if host else None,
    )


def _which(name: str, path: str) -> Path | None:
    found = shutil.which(name, path=path)
    return Path(found) if found else None


def _version(pulumi: Path) -> str | None:
    quiet = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        asked = subprocess.run(
            [pulumi, "version"], env=quiet, capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None
