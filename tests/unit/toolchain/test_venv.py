"""When the Python environment is kept, completed or made anew."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from toolchain import venv
from toolchain.project import Project

pytestmark = pytest.mark.unit


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "requirements.txt").write_text("a==1\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / ".venv").mkdir()
    return Project(tmp_path)


def stamp(project: Project) -> None:
    (project.venv / "installed.sha256").write_text(venv.wanted_digest(project))


def test_an_environment_without_a_stamp_is_not_current(project: Project) -> None:
    assert not venv.is_current(project)


def test_a_stamped_environment_is_current_until_a_pin_changes(project: Project) -> None:
    stamp(project)
    assert venv.is_current(project)
    (project.root / "requirements.txt").write_text("a==2\n")
    assert not venv.is_current(project)


def test_text_moved_between_files_is_a_change(project: Project) -> None:
    stamp(project)
    (project.root / "requirements.txt").write_text("")
    (project.root / "pyproject.toml").write_text("a==1\n[project]\n")
    assert not venv.is_current(project)


@pytest.mark.parametrize(
    ("found", "named", "create"),
    [
        ((3, 11), None, False),
        ((3, 12), None, False),
        ((3, 12), (3, 12), False),
        ((3, 11), (3, 12), True),
        ((3, 13), None, True),
        (None, None, True),
    ],
)
def test_a_supported_environment_is_kept_unless_another_python_is_named(
    found: tuple[int, int] | None, named: tuple[int, int] | None, create: bool
) -> None:
    assert venv.must_be_created(found, named, complete=True) is create


def test_an_environment_whose_installation_was_interrupted_is_made_anew() -> None:
    assert venv.must_be_created((3, 11), None, complete=False)


def test_an_interpreter_that_does_not_run_has_no_version(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    assert venv.python_version(broken) is None
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    assert venv.python_version(broken) is None
    assert venv.python_version(Path(sys.executable)) == sys.version_info[:2]
