"""The provider as one of Pulumi's installed plugins."""

import shlex
import sys
from dataclasses import dataclass
from enum import Enum, auto
from importlib.metadata import version
from pathlib import Path

from tidegate.files import write_atomically

PACKAGE = "tidegate"


class Change(Enum):
    """What an installation did."""

    NONE = auto()
    NEW = auto()
    OTHER = auto()


@dataclass(frozen=True)
class InstalledPlugin:
    """`program` is what the engine starts."""

    version: str
    program: Path
    change: Change


def install_plugin(pulumi_home: Path) -> InstalledPlugin:
    """Install the provider of this tidegate, run by this interpreter.

    The engine knows a plugin by its folder's name, kind and version in it, and by the name of the
    program inside. Raises OSError for a folder that cannot be written.
    """
    release = version(PACKAGE)
    folder = pulumi_home / "plugins" / f"resource-{PACKAGE}-v{release}"
    program = folder / f"pulumi-resource-{PACKAGE}"
    text = _starter(Path(sys.executable))
    before = program.read_text(encoding="utf-8") if program.exists() else None
    if before != text:
        write_atomically(program, text)
    program.chmod(0o755)
    if before is None:
        return InstalledPlugin(release, program, Change.NEW)
    return InstalledPlugin(release, program, Change.NONE if before == text else Change.OTHER)


def _starter(interpreter: Path) -> str:
    # -P: nothing of the user's working directory is imported in the place of a library.
    return f'#!/bin/sh\nexec {shlex.quote(str(interpreter))} -P -m tidegate.provider "$@"\n'
