"""Builds a Go program into the tool cache: all of it or nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from toolchain import exclusive
from toolchain.errors import ToolchainError
from toolchain.programs import ModuleFile
from toolchain.progress import Progress
from toolchain.recipes import Recipe, bundle_home

_UNFINISHED = ".unfinished-"
_AFTER_FAILURE = (
    "What was compiled is kept. Where a download failed or the disk was full, run the command "
    "again when that is mended: it goes on from here."
)


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
    """Build a program and install it with its files, unless it is there.

    An interrupted build is begun again, and Go's build cache makes the second start quick.
    Raises ToolchainError with the end of the log if the build fails.
    """
    with exclusive.lock(tools, progress.say_waiting):
        if recipe.is_built(tools):
            return
        progress.say(f"      builds for about {duration([recipe])}")
        with unfinished_folder(recipe.home(tools)) as folder:
            try:
                _build(recipe, folder, progress, logs / f"{recipe.program.name}.log")
            except ToolchainError as error:
                raise ToolchainError(f"{recipe.program.name}: {error}\n{_AFTER_FAILURE}") from None


def duration(wanted: Sequence[Recipe]) -> str:
    """How long the builds usually take together on two cores, as in `6 min`."""
    minutes = sum(recipe.program.usual_minutes for recipe in wanted)
    return f"{minutes:.0f} min" if minutes >= 1 else f"{minutes * 60:.0f} s"


def _build(recipe: Recipe, folder: Path, progress: Progress, log: Path) -> None:
    if recipe.program.packages:
        (folder / "bin").mkdir()
        with tempfile.TemporaryDirectory(prefix="tidegate-") as place:
            sources = Path(place, recipe.program.name)
            shutil.copytree(recipe.folder, sources)
            _copy_files(recipe.program.embeds, sources, recipe.folder)
            progress.run(go_build(recipe, folder / "bin"), log=log, cwd=sources)
    _copy_files(recipe.program.files, folder, recipe.folder)


def _copy_files(wanted: Sequence[ModuleFile], into: Path, go_module: Path) -> None:
    for row in wanted:
        target = into / row.folder
        target.mkdir(exist_ok=True)
        found = sorted(module_folder(row.module, go_module).glob(row.path))
        if not found:
            raise ToolchainError(f"The module {row.module} has no {row.path}.")
        for source in found:
            copied = target / source.name
            shutil.copyfile(source, copied)
            if row.folder == "bin":
                copied.chmod(0o755)


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
    """The command that builds into a folder; `-mod=readonly` keeps to the committed go.sum."""
    return [
        "go",
        "build",
        "-mod=readonly",
        "-buildvcs=false",
        "-trimpath",
        "-v",
        f"-ldflags={recipe.ldflags}",
        f"-o={destination}{os.sep}{recipe.program.executable or ''}",
        *recipe.program.packages,
    ]


def module_folder(module: str, folder: Path) -> Path:
    """The source of a module as the go.mod in `folder` pins it; fetched if it is not there.

    Raises ToolchainError if Go does not get it.
    """
    command = ["go", "mod", "download", "-json", module]
    fetched = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    answer = json.loads(fetched.stdout or "{}")
    if "Dir" not in answer:
        reason = answer.get("Error") or fetched.stderr.strip()
        raise ToolchainError(f"Go does not get the module {module}: {reason}")
    return Path(answer["Dir"])
