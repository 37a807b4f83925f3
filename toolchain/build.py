"""Builds a Go program into the tool cache: all of it or nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from toolchain import exclusive
from toolchain.errors import ToolchainError
from toolchain.programs import Recipe, bundle_home
from toolchain.progress import Progress

_UNFINISHED = ".unfinished-"


@contextmanager
def unfinished_folder(home: Path) -> Iterator[Path]:
    """A folder beside `home` that becomes `home` by one rename if the block succeeds.

    What an earlier, killed build left is removed first; the caller holds the lock.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    for leftover in home.parent.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=home.parent))
    try:
        folder.chmod(0o755)
        yield folder
        folder.rename(home)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def build(recipe: Recipe, tools: Path, progress: Progress, logs: Path) -> None:
    """Build a program and install it with its scripts, unless it is there.

    An interrupted build is begun again, and Go's build cache makes the second start quick.
    Raises ToolchainError with the end of the log if the build fails.
    """
    with exclusive.lock(tools, progress.say_waiting):
        if recipe.is_built(tools):
            return
        with unfinished_folder(recipe.home(tools)) as folder:
            destination = folder / "bin"
            destination.mkdir()
            progress.run(
                go_build(recipe, destination),
                log=logs / f"{recipe.program.name}.log",
                cwd=recipe.folder,
            )
            for script in recipe.program.scripts:
                source = module_folder(script.module, recipe.folder) / script.path
                target = destination / source.name
                shutil.copyfile(source, target)
                target.chmod(0o755)


def bundle(wanted: Sequence[Recipe], tools: Path, progress: Progress) -> None:
    """Put built programs into one folder by hard links, unless it is there."""
    home = bundle_home(wanted, tools)
    with exclusive.lock(tools, progress.say_waiting):
        if home.is_dir():
            return
        with unfinished_folder(home) as folder:
            together = folder / "bin"
            together.mkdir()
            for recipe in wanted:
                for file in recipe.bin(tools).iterdir():
                    (together / file.name).hardlink_to(file)


def go_build(recipe: Recipe, destination: Path) -> list[str]:
    """The command that builds a program; `-mod=readonly` keeps to the committed go.sum."""
    return [
        "go",
        "build",
        "-mod=readonly",
        "-buildvcs=false",
        "-trimpath",
        "-v",
        f"-ldflags={recipe.ldflags}",
        f"-o={destination / recipe.program.name}",
        recipe.program.package,
    ]


def module_folder(module: str, folder: Path) -> Path:
    """Where Go keeps the source of a module that the go.mod in `folder` pins."""
    command = ["go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module]
    listed = subprocess.run(
        command, cwd=folder, env=os.environ, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0 or not listed.stdout.strip():
        raise ToolchainError(f"Go does not find the module {module}: {listed.stderr.strip()}")
    return Path(listed.stdout.strip())
