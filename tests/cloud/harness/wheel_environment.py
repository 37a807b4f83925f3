"""Environments that have what a wheel asks for, and nothing else of what is on this machine."""

import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path, PurePath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OF_EVERY_ENVIRONMENT = ("pip",)


def make_environment(root: Path, wheel: Path, extras: Iterable[str]) -> Path:
    """The wheel, with links to the tests' own distributions that it and its extras ask for.

    Those that it does not ask for are not there, as in an environment that pip has filled.
    """
    venv.create(root, symlinks=True)
    (libraries,) = root.glob("lib/python*/site-packages")
    pip(root, "--no-deps", str(wheel))
    (own,) = distributions(path=[str(libraries)])
    installed: dict[str, Distribution] = {
        canonicalize_name(each.name): each
        for each in distributions(path=[sysconfig.get_path("purelib")])
    }
    wanted: set[str] = set(OF_EVERY_ENVIRONMENT)
    for extra in ("", *extras):
        for name in _closure(own, extra, installed):
            wanted.add(name)
    _link(installed, wanted - {canonicalize_name(own.name)}, libraries)
    return root


def pip(environment: Path, *arguments: str) -> None:
    """Install from what is on this machine."""
    into = ["--python", str(environment / "bin" / "python")]
    subprocess.run(
        [sys.executable, "-m", "pip", *into, "install", "--no-index", *arguments], check=True
    )


def _closure(own: Distribution, extra: str, installed: Mapping[str, Distribution]) -> set[str]:
    """Names of all that a distribution asks for with the extra, and of what these ask for."""
    known: dict[str, Distribution] = {**installed, canonicalize_name(own.name): own}
    found: set[tuple[str, str]] = set()
    waiting: list[tuple[str, str]] = [(canonicalize_name(own.name), extra)]
    while waiting:
        each = waiting.pop()
        # What is missing is missed by the program that needs it.
        if each not in found and each[0] in known:
            found.add(each)
            waiting.extend(_asked_by(known[each[0]], each[1]))
    return {name for name, _ in found}


def _asked_by(distribution: Distribution, extra: str) -> Iterator[tuple[str, str]]:
    for text in distribution.requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            for each in ("", *requirement.extras):
                yield canonicalize_name(requirement.name), each


def _link(installed: Mapping[str, Distribution], wanted: set[str], folder: Path) -> None:
    """Folders as a whole, unless others have a part in them, such as `google`."""
    foreign = {
        parent
        for name in installed.keys() - wanted
        for file in installed[name].files or ()
        for parent in file.parents
    }
    for name in wanted:
        for file in installed[name].files or ():
            if ".." not in file.parts:
                whole = next(each for each in _from_the_top(file) if each not in foreign)
                link = folder / whole
                link.parent.mkdir(parents=True, exist_ok=True)
                if not link.is_symlink():
                    link.symlink_to(Path(str(installed[name].locate_file(whole))))


def _from_the_top(file: PurePath) -> Iterator[PurePath]:
    yield from (*reversed(file.parents[:-1]), file)
