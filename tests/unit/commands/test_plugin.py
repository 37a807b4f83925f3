"""`tidegate plugin install`: what lies where the engine looks, and what is said about it."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tidegate.cli import app
from tidegate.commands.common import EXIT_REFUSED

pytestmark = pytest.mark.unit


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "pulumi home"
    monkeypatch.setenv("PULUMI_HOME", str(folder))
    return folder


def test_the_program_is_put_where_the_engine_looks_and_starts_the_provider(home: Path) -> None:
    result = install()

    assert "is installed" in result.output
    program = program_in(home)
    assert str(program) in result.output.replace("\n", "")
    assert os.access(program, os.X_OK)
    # Without the engine's arguments the provider says what it is.
    started = subprocess.run([program], capture_output=True, text=True, check=False)
    assert "is a Pulumi plugin" in started.stderr


def test_the_working_directory_is_not_imported_from(home: Path, tmp_path: Path) -> None:
    install()
    (tmp_path / "tidegate.py").write_text("raise SystemExit('the wrong one')")
    started = subprocess.run(
        [program_in(home)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "is a Pulumi plugin" in started.stderr


def test_a_second_installation_changes_nothing(home: Path) -> None:
    install()
    before = program_in(home).stat().st_ino
    result = install()
    assert "was installed already" in result.output
    assert program_in(home).stat().st_ino == before


def test_another_python_takes_over(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/nowhere/python")
        install()
    result = install()
    assert "another Python" in result.output
    assert sys.executable in program_in(home).read_text()


def test_a_folder_that_cannot_be_made_is_refused(home: Path) -> None:
    home.write_text("a file")
    result = CliRunner().invoke(app, ["plugin", "install"])
    assert result.exit_code == EXIT_REFUSED
    assert "PULUMI_HOME" in result.output


def test_help_says_what_it_does() -> None:
    result = CliRunner().invoke(app, ["plugin", "install", "--help"])
    assert result.exit_code == 0
    assert "PULUMI_HOME" in result.output


def install() -> Result:
    result = CliRunner().invoke(app, ["plugin", "install"])
    assert result.exit_code == 0, result.output
    return result


def program_in(home: Path) -> Path:
    folder = f"resource-tidegate-v{version('tidegate')}"
    return home / "plugins" / folder / "pulumi-resource-tidegate"
