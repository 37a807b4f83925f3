"""`toolchain/run` finds a Python that works among what version managers put on PATH."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

RUN = Path(__file__).parents[3] / "toolchain" / "run"
SYSTEM = "/usr/bin:/bin"


def program(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def start(path: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [RUN, "env"],
        env={"PATH": path, "HOME": "/nonexistent", **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def working(tmp_path: Path) -> Path:
    """A folder whose python3.11 works and whose python3.12 is a launcher that fails."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program(folder, "python3.12", 'echo "python3.12: command not found" >&2; exit 127')
    base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    program(folder, "python3.11", f'exec "{base}" "$@"')
    return folder


def test_a_launcher_that_fails_is_passed_over(working: Path) -> None:
    started = start(f"{working}:{SYSTEM}")
    assert started.returncode == 0, started.stderr
    assert "export PULUMI_BACKEND_URL=" in started.stdout


def test_no_python_that_fits_says_why_and_what_to_install(working: Path) -> None:
    started = start(f"{working}:{SYSTEM}", TIDEGATE_PYTHON="python3.12 python3.99")
    assert started.returncode == 1
    assert "python3.12: command not found" in started.stderr
    assert "python3.99: not on PATH" in started.stderr
    assert "python3.11-venv" in started.stderr
