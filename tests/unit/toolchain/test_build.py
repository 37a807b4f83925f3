"""A build is published whole or not at all, and only one runs at a time."""

from __future__ import annotations

import io
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from toolchain import exclusive
from toolchain.build import build, bundle, duration, unfinished_folder
from toolchain.errors import ToolchainError
from toolchain.programs import PULUMI, GoProgram, Group, ModuleFile
from toolchain.progress import Progress
from toolchain.recipes import Recipe, bundle_home, read_recipe

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
    made = [Recipe(PULUMI, tmp_path, "1", (1, 25, 0), sign * 64) for sign in "ab"]
    for recipe, name in zip(made, ("engine", "host"), strict=True):
        recipe.bin(tmp_path).mkdir(parents=True)
        (recipe.bin(tmp_path) / name).write_text(name)
    for _ in range(2):
        bundle(made, tmp_path, Progress(io.StringIO(), 1))
    together = bundle_home(made, tmp_path) / "bin"
    assert sorted(file.name for file in together.iterdir()) == ["engine", "host"]


@pytest.fixture
def go_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go modules with one program, and a `go` that knows one module and writes what it builds."""
    module = tmp_path / "module"
    (module / "crds").mkdir(parents=True)
    for name in ("a.yaml", "b.yaml", "notes.txt"):
        (module / "crds" / name).write_text(name)
    (module / "schema.json").write_text("{}")
    folder = tmp_path / "go" / "server"
    folder.mkdir(parents=True)
    (folder / "go.mod").write_text("module m\n\ngo 1.25.0\n\nrequire example.org/server v1.2.3\n")
    (folder / "go.sum").write_text("")
    (folder / "main.go").write_text("package main\n")
    commands = tmp_path / "commands"
    commands.mkdir()
    go = commands / "go"
    go.write_text(
        f"""#!/bin/sh
case $1 in
mod) echo '{{"Dir": "{module}"}}' ;;
build) for word; do
    case $word in
    -o=*) cat schema.json main.go > "${{word#-o=}}server" ;;
    esac
done ;;
esac
"""
    )
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:/usr/bin:/bin")
    return folder.parent


SERVER = GoProgram(
    name="server",
    module="example.org/server",
    packages=(".",),
    group=Group.CLUSTER_TESTS,
    usual_minutes=1,
    files=(ModuleFile("example.org/server", "crds/*.yaml", "server-crds"),),
    embeds=(ModuleFile("example.org/server", "schema.json", "."),),
)


def test_a_program_is_installed_with_the_files_of_its_module(
    go_modules: Path, tmp_path: Path
) -> None:
    recipe, out = read_recipe(SERVER, go_modules), io.StringIO()
    build(recipe, tmp_path / "tools", Progress(out, 1), tmp_path / "logs")
    home = tmp_path / "tools" / "server" / f"1.2.3-{recipe.digest[:8]}"
    assert (home / "bin" / "server").read_text() == "{}package main\n"
    assert [file.name for file in sorted((home / "server-crds").iterdir())] == ["a.yaml", "b.yaml"]
    assert "about 1 min" in out.getvalue()
    assert not (go_modules / "server" / "schema.json").exists()


def test_a_second_build_does_nothing(go_modules: Path, tmp_path: Path) -> None:
    recipe = read_recipe(SERVER, go_modules)
    build(recipe, tmp_path, Progress(io.StringIO(), 1), tmp_path / "logs")
    (go_modules.parent / "commands" / "go").unlink()
    out = io.StringIO()
    build(recipe, tmp_path, Progress(out, 1), tmp_path / "logs")
    assert out.getvalue() == ""


def test_a_build_that_fails_names_the_program_and_what_to_do(
    go_modules: Path, tmp_path: Path
) -> None:
    go = go_modules.parent / "commands" / "go"
    go.write_text(go.read_text().replace("build) for", "build) echo no space left; exit 1; for"))
    recipe = read_recipe(SERVER, go_modules)
    with pytest.raises(ToolchainError) as failure:
        build(recipe, tmp_path, Progress(io.StringIO(), 1), tmp_path / "logs")
    message = str(failure.value)
    assert message.startswith("server: ")
    assert "no space left" in message
    assert "run the command again" in message
    assert not recipe.is_built(tmp_path)


def test_a_file_that_the_module_lacks_is_an_error(go_modules: Path, tmp_path: Path) -> None:
    row = replace(SERVER, files=(ModuleFile("example.org/server", "charts/*.yaml", "crds"),))
    recipe = read_recipe(row, go_modules)
    with pytest.raises(ToolchainError, match=r"example\.org/server has no charts/\*\.yaml"):
        build(recipe, tmp_path, Progress(io.StringIO(), 1), tmp_path / "logs")


def test_the_usual_time_is_the_sum() -> None:
    short = replace(SERVER, usual_minutes=0.5)
    recipes = [Recipe(row, Path(), "1.0.0", (1, 25, 0), "") for row in (SERVER, SERVER, short)]
    assert duration(recipes[:2]) == "2 min"
    assert duration(recipes[2:]) == "30 s"
