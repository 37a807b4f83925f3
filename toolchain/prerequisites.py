"""What the machine itself must bring. Each problem is a sentence that says what to install."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from toolchain import versions
from toolchain.programs import PULUMI
from toolchain.recipes import Recipe

# Triton's wheel is tagged manylinux_2_35_x86_64.
OLDEST_GLIBC: versions.Version = (2, 35, 0)


def platform_problem(system: str, machine: str) -> str | None:
    """Say why the operating system or processor does not do; None if it does."""
    if (system, machine) == ("Linux", "x86_64"):
        return None
    return (
        f"This machine is {system} {machine}; Triton and Envoy are published for Linux x86-64. "
        "Use the dev container (.devcontainer/) or a Linux x86-64 machine."
    )


def glibc_problem(library: str) -> str | None:
    """Judge the C library by its name and version, as in `glibc 2.36`; None if it does."""
    found = versions.parse(library)
    if library.startswith("glibc") and found is not None and found >= OLDEST_GLIBC:
        return None
    return (
        f"The C library is {library or 'not glibc'}; Triton needs glibc 2.35 or newer. "
        "Use Debian 12, Ubuntu 22.04 or anything newer."
    )


def go_problem(printed: str | None, wanted: Sequence[Recipe]) -> str | None:
    """Judge Go by what `go env GOVERSION` printed (None: no Go); None if it builds all `wanted`."""
    if not wanted:
        return None
    names = ", ".join(recipe.program.name for recipe in wanted)
    oldest = max(recipe.oldest_go for recipe in wanted)
    advice = f"Install Go {versions.show(oldest)} or newer"
    if any(recipe.program is PULUMI for recipe in wanted):
        advice += ", or the pulumi CLI with its Python language host, which is then used"
    if printed is None:
        return f"Go is not on PATH and must build {names}. {advice}."
    found = versions.parse(printed)
    if found is not None and found >= oldest:
        return None
    return f"Go is {printed or 'of an unknown version'}, too old to build {names}. {advice}."


def glibc() -> str:
    """Name and version of the running C library, as in `glibc 2.36`; empty if it is another."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return ""


def go_version(folder: Path) -> str | None:
    """The Go version that would build in `folder`; None without Go.

    Go itself may choose and fetch a newer toolchain there, as the user's GOTOOLCHAIN allows.
    """
    go = shutil.which("go")
    if go is None:
        return None
    asked = subprocess.run(
        [go, "env", "GOVERSION"], cwd=folder, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip()


def machine_problems() -> list[str]:
    """Problems of operating system, processor and C library."""
    checks: tuple[Callable[[], str | None], ...] = (
        lambda: platform_problem(platform.system(), platform.machine()),
        lambda: glibc_problem(glibc()),
    )
    return [problem for check in checks if (problem := check()) is not None]
