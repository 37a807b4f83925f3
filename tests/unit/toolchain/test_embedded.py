"""Taking stacks up and down: what is read off Pulumi and said about its lock."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from toolchain import state_lock
from toolchain.embedded import stack_names

pytestmark = pytest.mark.unit


def write_lock(backend: Path, stack: str, pid: int) -> None:
    folder = backend / ".pulumi" / "locks" / "organization" / "tidegate" / stack
    folder.mkdir(parents=True)
    content = {"pid": pid, "username": "u", "hostname": "h", "timestamp": "2026-01-01T00:00:00Z"}
    (folder / "1.json").write_text(json.dumps(content))


def test_a_stack_is_found_by_its_short_name() -> None:
    listed = json.dumps([{"name": "organization/tidegate/local"}, {"name": "other"}])
    assert stack_names(listed) == {"local", "other"}
    assert stack_names("[]") == frozenset()


def test_no_lock_needs_no_hint(tmp_path: Path) -> None:
    write_lock(tmp_path, "other", os.getpid())
    assert state_lock.hint(tmp_path, "local") is None


def test_the_lock_of_a_running_update_says_to_wait(tmp_path: Path) -> None:
    write_lock(tmp_path, "local", os.getpid())
    hint = state_lock.hint(tmp_path, "local")
    assert hint is not None
    assert str(os.getpid()) in hint
    assert "wait" in hint
    assert "pulumi cancel" not in hint


def test_the_lock_of_a_killed_update_gives_the_command_that_removes_it(tmp_path: Path) -> None:
    beyond_pid_max = 2**22 + 1
    write_lock(tmp_path, "local", beyond_pid_max)
    hint = state_lock.hint(tmp_path, "local")
    assert hint is not None
    assert "pulumi cancel --yes --stack local" in hint
