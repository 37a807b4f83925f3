"""The pins of the programs that are built from source."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from toolchain.errors import ToolchainError
from toolchain.programs import (
    PULUMI,
    Group,
    bundle_home,
    read_recipe,
    recipes,
    required_version,
)

pytestmark = pytest.mark.unit

GO_MODULES = Path(__file__).parents[3] / "toolchain" / "go"


def test_the_version_is_read_off_go_mod() -> None:
    single = "module m\n\nrequire example.org/a/v3 v3.2.1\n"
    block = "module m\n\nrequire (\n\texample.org/b v0.1.0 // indirect\n\texample.org/a v1.0.0\n)\n"
    assert required_version(single, "example.org/a/v3") == "3.2.1"
    assert required_version(block, "example.org/a") == "1.0.0"
    assert required_version(block, "example.org/c") is None


def test_the_embedded_platform_needs_the_engine_and_its_python_host() -> None:
    names = [recipe.program.name for recipe in recipes(Group.EMBEDDED, GO_MODULES)]
    assert names == ["pulumi", "pulumi-language-python"]


def test_pulumi_tells_the_version_that_go_mod_pins() -> None:
    recipe = read_recipe(PULUMI, GO_MODULES)
    assert recipe.ldflags.endswith(f"version.Version=v{recipe.version}")


def test_another_dependency_gives_another_folder(tmp_path: Path) -> None:
    shutil.copytree(GO_MODULES / "pulumi", tmp_path / "pulumi")
    before = read_recipe(PULUMI, tmp_path)
    with (tmp_path / "pulumi" / "go.sum").open("a") as sums:
        sums.write("example.org/a v1.0.0 h1:AAAA\n")
    after = read_recipe(PULUMI, tmp_path)
    tools = Path("/tools")
    assert before.version == after.version
    assert before.home(tools) != after.home(tools)
    assert bundle_home([before], tools) != bundle_home([after], tools)


def test_a_go_mod_without_the_program_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "pulumi"
    folder.mkdir()
    (folder / "go.mod").write_text("module m\n")
    (folder / "go.sum").write_text("")
    with pytest.raises(ToolchainError, match="does not require"):
        read_recipe(PULUMI, tmp_path)
