"""Taking stacks up and down, with small scripts in the place of pulumi and tidegate."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from toolchain import embedded, state_lock
from toolchain.errors import ToolchainError
from toolchain.progress import Progress
from toolchain.project import Project

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
BEYOND_PID_MAX = 2**22 + 1


class Stand:
    """A folder with scripts named pulumi and tidegate that write down how they were called."""

    def __init__(self, root: Path) -> None:
        self.project = Project(root)
        self.bin = root / "bin"
        self.bin.mkdir()
        self.calls_file = root / "calls"
        self.calls_file.touch()
        self.environ = {"PATH": f"{self.bin}:/usr/bin:/bin"}
        self.install("pulumi")
        self.install("tidegate")

    def install(self, name: str, script: str = "") -> None:
        file = self.bin / name
        file.write_text(f'#!/bin/sh\necho {name} "$@" >> {self.calls_file}\n{script}\n')
        file.chmod(0o755)

    def calls(self) -> list[str]:
        return self.calls_file.read_text().splitlines()


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path)


def write_lock(backend: Path, stack: str, pid: int) -> None:
    folder = backend / ".pulumi" / "locks" / "organization" / "tidegate" / stack
    folder.mkdir(parents=True)
    content = {"pid": pid, "username": "u", "hostname": "h", "timestamp": "2026-01-01T00:00:00Z"}
    (folder / "1.json").write_text(json.dumps(content))


def test_up_ends_with_a_prediction_and_the_times(stand: Stand) -> None:
    out = io.StringIO()
    embedded.up(stand.project, "local", Progress(out, embedded.UP_STEPS), stand.environ)
    assert stand.calls() == [
        "pulumi stack select --create local",
        "pulumi up --yes --stack local",
        "tidegate status --stack local",
        "tidegate predict digits --stack local",
    ]
    assert out.getvalue().splitlines()[-1].split()[0] == "total"


def test_a_refused_update_asks_for_no_prediction(stand: Stand) -> None:
    stand.install("pulumi", 'test "$1" = stack')
    with pytest.raises(ToolchainError, match="pulumi up --yes --stack local"):
        embedded.up(stand.project, "local", Progress(io.StringIO(), 3), stand.environ)
    assert stand.calls()[-1] == "pulumi up --yes --stack local"


def test_an_update_that_finds_the_lock_of_a_killed_one_says_how_to_remove_it(
    stand: Stand,
) -> None:
    stand.install("pulumi", 'test "$1" = stack')
    write_lock(stand.project.backend, "local", BEYOND_PID_MAX)
    with pytest.raises(ToolchainError, match="pulumi cancel --yes --stack local"):
        embedded.up(stand.project, "local", Progress(io.StringIO(), 3), stand.environ)


def test_down_destroys_forgets_and_looks_for_leftovers(stand: Stand) -> None:
    stand.install("pulumi", """test "$2" = ls && echo '[{"name": "local"}]' || true""")
    embedded.down(stand.project, "local", Progress(io.StringIO(), 2), stand.environ)
    assert stand.calls()[1:] == [
        "pulumi destroy --yes --stack local",
        "pulumi stack rm --yes --preserve-config --stack local",
        "tidegate doctor --leftovers --stack local",
    ]


def test_down_without_a_stack_still_looks_for_leftovers(stand: Stand) -> None:
    stand.install("pulumi", "echo '[]'")
    embedded.down(stand.project, "local", Progress(io.StringIO(), 2), stand.environ)
    assert stand.calls()[-1] == "tidegate doctor --leftovers --stack local"
    assert not any("destroy" in call for call in stand.calls())


@pytest.mark.parametrize("to_all", [True, False], ids=["ctrl-c", "sigterm"])
def test_an_interrupted_update_gets_one_interrupt_and_is_waited_for(
    stand: Stand, to_all: bool
) -> None:
    script = f"""
import signal, sys, time
if sys.argv[1] == "stack":
    sys.exit(0)
count = 0
def interrupted(*_):
    global count
    count += 1
signal.signal(signal.SIGINT, interrupted)
open({str(stand.project.root / "running")!r}, "w").close()
end = time.monotonic() + 30
while not count and time.monotonic() < end:
    time.sleep(0.01)
time.sleep(0.3)
open({str(stand.project.root / "ended")!r}, "w").write(str(count))
sys.exit(1)
"""
    (stand.bin / "pulumi").write_text(f"#!{sys.executable}{script}")
    code = (
        "import os, sys, pathlib\n"
        "from toolchain import embedded, progress, project\n"
        "place = project.Project(pathlib.Path(sys.argv[1]))\n"
        "embedded.up(place, 'local', progress.Progress(sys.stdout, 3), dict(os.environ))\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, stand.project.root],
        env={**stand.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 30
    while not (stand.project.root / "running").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    if to_all:
        os.killpg(parent.pid, signal.SIGINT)
    else:
        parent.terminate()
    _, error = parent.communicate(timeout=30)
    assert (stand.project.root / "ended").read_text() == "1"
    assert b"ended with exit code 1" in error


def test_a_stack_is_found_by_its_short_name() -> None:
    listed = json.dumps([{"name": "organization/tidegate/local"}, {"name": "other"}])
    assert embedded.stack_names(listed) == {"local", "other"}
    assert embedded.stack_names("[]") == frozenset()


def test_no_lock_needs_no_hint(tmp_path: Path) -> None:
    write_lock(tmp_path, "other", os.getpid())
    assert state_lock.hint(tmp_path, "local") is None


def test_the_lock_of_a_running_update_says_to_wait(tmp_path: Path) -> None:
    write_lock(tmp_path, "local", os.getpid())
    hint = state_lock.hint(tmp_path, "local")
    assert hint is not None
    assert f"Process {os.getpid()} is updating" in hint
    assert "pulumi cancel" not in hint


def test_the_lock_of_a_killed_update_gives_the_command_that_removes_it(tmp_path: Path) -> None:
    write_lock(tmp_path, "local", BEYOND_PID_MAX)
    hint = state_lock.hint(tmp_path, "local")
    assert hint is not None
    assert "pulumi cancel --yes --stack local" in hint
