"""Projects that exist for one measurement."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engine.harness.project import Project
from tests.engine.harness.toolchain_environment import REPOSITORY

RESULTS = REPOSITORY / ".tidegate" / "benchmarks"
"""Where details of a measurement are kept; git ignores it."""


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder with a short path, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="tg-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def temporary_project() -> Iterator[Project]:
    """A copy of the project with a stack of its own; everything of it is gone at the end."""
    with temporary_folder() as folder:
        project = Project(folder / "p")
        try:
            yield project
        finally:
            project.remove()


def say(line: str) -> None:
    """Tell the person who waits; standard output is for the figures."""
    print(line, file=sys.stderr, flush=True)
