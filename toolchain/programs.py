"""The programs that are built from Go modules, one row each.

A program's folder `toolchain/go/<name>` holds its go.mod and go.sum: they pin the version and
every dependency. Programs do not share a go.mod, because mixing them mixes dependencies.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from toolchain.errors import ToolchainError


class Group(StrEnum):
    """Who needs a program: setting up one group leaves the others alone."""

    EMBEDDED = "embedded"


@dataclass(frozen=True)
class ModuleFile:
    """A file of a Go module, installed beside the program as an executable script."""

    module: str
    path: str


@dataclass(frozen=True)
class GoProgram:
    """One program: what to build and what to install beside it.

    `ldflags` may contain `{version}`. `module` is the one whose version is the program's.
    """

    name: str
    module: str
    package: str
    group: Group
    ldflags: tuple[str, ...] = ("-s", "-w")
    scripts: tuple[ModuleFile, ...] = ()


PULUMI = GoProgram(
    name="pulumi",
    module="github.com/pulumi/pulumi/pkg/v3",
    package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    group=Group.EMBEDDED,
    ldflags=(
        "-s",
        "-w",
        "-X",
        "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{version}",
    ),
)

PULUMI_LANGUAGE_PYTHON = GoProgram(
    name="pulumi-language-python",
    module="github.com/pulumi/pulumi/sdk/python/cmd/pulumi-language-python/v3",
    package="github.com/pulumi/pulumi/sdk/python/cmd/pulumi-language-python/v3",
    group=Group.EMBEDDED,
    # The host starts programs through this script and looks for it beside itself.
    scripts=(
        ModuleFile("github.com/pulumi/pulumi/sdk/v3", "python/cmd/pulumi-language-python-exec"),
    ),
)

PROGRAMS = (PULUMI, PULUMI_LANGUAGE_PYTHON)


@dataclass(frozen=True)
class Recipe:
    """A program together with the files that pin it."""

    program: GoProgram
    folder: Path
    version: str
    digest: str

    @property
    def ldflags(self) -> str:
        return " ".join(self.program.ldflags).format(version=self.version)

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


def read_recipe(program: GoProgram, go_modules: Path) -> Recipe:
    """Read the pins of a program.

    Raises ToolchainError if its go.mod does not require the program's module.
    """
    folder = go_modules / program.name
    go_mod, go_sum = (folder / "go.mod").read_bytes(), (folder / "go.sum").read_bytes()
    version = required_version(go_mod.decode(), program.module)
    if version is None:
        raise ToolchainError(f"{folder / 'go.mod'} does not require {program.module}.")
    row = repr((program, version)).encode()
    digest = hashlib.sha256(b"\0".join((go_mod, go_sum, row))).hexdigest()
    return Recipe(program, folder, version, digest)


def recipes(group: Group, go_modules: Path) -> tuple[Recipe, ...]:
    """The pins of all programs of a group, in the order they are built."""
    return tuple(read_recipe(row, go_modules) for row in PROGRAMS if row.group is group)
