"""A build is published whole or not at all, and only one runs at a time."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest

from toolchain import exclusive
from toolchain.build import bundle, unfinished_folder
from toolchain.errors import ToolchainError
from toolchain.programs import PULUMI, Recipe, bundle_home
from toolchain.progress import Progress

pytestmark = pytest.mark.unit


def test_a_finished_build_appears_under_its_name(tmp_path: Path) -> None:
    home = tmp_path / "pulumi" / "1"
    with unfinished_folder(home) as folder:
        (folder / "program").touch()
        assert not home.exists()
    assert [file.name for file in home.iterdir()] == ["program"]
    assert list(home.parent.iterdir()) == [home]


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    home = tmp_path / "pulumi" / "1"
    with pytest.raises(ToolchainError), unfinished_folder(home) as folder:
        (folder / "program").touch()
        raise ToolchainError("no")
    assert list(home.parent.iterdir()) == []


def test_what_a_killed_build_left_is_removed(tmp_path: Path) -> None:
    home = tmp_path / "pulumi" / "1"
    killed = unfinished_folder(home)
    left = killed.__enter__()  # never left, as after SIGKILL
    (left / "half").touch()
    with unfinished_folder(home):
        assert not left.exists()
    assert home.is_dir()


def test_a_second_build_says_that_it_waits_and_then_goes_on(tmp_path: Path) -> None:
    waiting, done = threading.Event(), threading.Event()

    def second() -> None:
        with exclusive.lock(tmp_path, waiting.set):
            done.set()

    with exclusive.lock(tmp_path, lambda: None):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(timeout=10)
        assert not done.is_set()
    thread.join(timeout=10)
    assert done.is_set()


def test_a_bundle_holds_the_programs_side_by_side(tmp_path: Path) -> None:
    made = [Recipe(PULUMI, tmp_path, "1", digest) for digest in ("a" * 64, "b" * 64)]
    for recipe, name in zip(made, ("engine", "host"), strict=True):
        recipe.bin(tmp_path).mkdir(parents=True)
        (recipe.bin(tmp_path) / name).write_text(name)
    for _ in range(2):
        bundle(made, tmp_path, Progress(io.StringIO(), 1))
    together = bundle_home(made, tmp_path) / "bin"
    assert sorted(file.name for file in together.iterdir()) == ["engine", "host"]
