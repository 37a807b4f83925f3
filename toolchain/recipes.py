"""A program together with the files that pin it, and where it lies once it is built."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolchain import versions
from toolchain.errors import ToolchainError
from toolchain.programs import PROGRAMS, GoProgram, Group

_SOURCES = (".go", ".mod", ".sum")


@dataclass(frozen=True)
class Recipe:
    """A program and its pins. `oldest_go` is the oldest Go that its go.mod allows."""

    program: GoProgram
    folder: Path
    version: str
    oldest_go: versions.Version
    digest: str

    @property
    def ldflags(self) -> str:
        major, minor = self.version.split(".")[:2]
        flags = " ".join(self.program.ldflags)
        return flags.format(version=self.version, major=major, minor=minor)

    def home(self, tools: Path) -> Path:
        """The finished program's folder.

        The digest keeps two clones apart that pin different dependencies for one version.
        """
        return tools / self.program.name / f"{self.version}-{self.digest[:8]}"

    def bin(self, tools: Path) -> Path:
        return self.home(tools) / "bin"

    def is_built(self, tools: Path) -> bool:
        # The folder appears by one rename when everything in it is complete.
        return self.home(tools).is_dir()


def bundle_home(wanted: Sequence[Recipe], tools: Path) -> Path:
    """The folder whose `bin` holds exactly these programs, side by side.

    pulumi takes the language host that lies beside it; one elsewhere on PATH it warns about.
    """
    digests = "".join(recipe.digest for recipe in wanted)
    return tools / "bundles" / hashlib.sha256(digests.encode()).hexdigest()[:8]


def required_version(go_mod: str, module: str) -> str | None:
    """Read a module's version, without its leading v, off the text of a go.mod; None if absent."""
    line = re.compile(rf"^(?:require)?\s*{re.escape(module)}\s+v(\S+)", re.MULTILINE)
    found = line.search(go_mod)
    return found.group(1) if found else None


def go_version(go_mod: str) -> versions.Version | None:
    """Read the oldest Go that a go.mod allows; None if it does not say."""
    found = re.search(r"^go (\S+)$", go_mod, re.MULTILINE)
    return versions.parse(found.group(1)) if found else None


def read_recipe(program: GoProgram, go_modules: Path) -> Recipe:
    """Read the pins of a program.

    Raises ToolchainError if its go.mod does not require the program's module or names no Go.
    """
    folder = go_modules / program.name
    go_mod = (folder / "go.mod").read_text()
    required, oldest_go = required_version(go_mod, program.module), go_version(go_mod)
    if required is None:
        raise ToolchainError(f"{folder / 'go.mod'} does not require {program.module}.")
    if oldest_go is None:
        raise ToolchainError(f"{folder / 'go.mod'} has no `go` line.")
    version = program.release or required
    return Recipe(program, folder, version, oldest_go, _digest(program, folder))


def recipes(group: Group, go_modules: Path) -> tuple[Recipe, ...]:
    """The pins of all programs of a group, in the order they are built."""
    return tuple(read_recipe(row, go_modules) for row in PROGRAMS if row.group is group)


def unbuilt(wanted: Sequence[Recipe], tools: Path) -> tuple[Recipe, ...]:
    """Those of `wanted` that are not there yet."""
    return tuple(recipe for recipe in wanted if not recipe.is_built(tools))


def _digest(program: GoProgram, folder: Path) -> str:
    """SHA-256 over all that decides what is installed."""
    row: tuple[object, ...] = (
        program.packages,
        program.ldflags,
        program.files,
        program.embeds,
        program.release,
    )
    if program.executable is not None:
        row = (*row, program.executable)
    digest = hashlib.sha256(repr(row).encode())
    for file in sorted(file for file in folder.iterdir() if file.suffix in _SOURCES):
        content = file.read_bytes()
        digest.update(f"\0{file.name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
