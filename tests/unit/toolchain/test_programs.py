"""The pins of the programs that are built from source."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from toolchain.errors import ToolchainError
from toolchain.programs import (
    ETCD,
    KUBERNETES,
    LEADERWORKERSET,
    PROGRAMS,
    PULUMI,
    PULUMI_LANGUAGE_PYTHON,
    PULUMI_RESOURCE_KUBERNETES,
    Group,
)
from toolchain.recipes import bundle_home, read_recipe, recipes, required_version

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


def test_the_cluster_tests_need_a_control_plane_a_gateway_and_the_provider() -> None:
    names = [recipe.program.name for recipe in recipes(Group.CLUSTER_TESTS, GO_MODULES)]
    assert names == [
        "etcd",
        "kubernetes",
        "kwok",
        "pulumi-resource-kubernetes",
        "leaderworkerset",
        "envoy-gateway",
    ]


def test_executables_are_named_as_go_names_them_or_as_the_row_says() -> None:
    assert PULUMI_LANGUAGE_PYTHON.executables == ("pulumi-language-python",)
    assert PULUMI_RESOURCE_KUBERNETES.executables == ("pulumi-resource-kubernetes",)
    assert LEADERWORKERSET.executables == ("leaderworkerset-manager",)  # Go's would be cmd
    assert KUBERNETES.executables == (
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
    )


def test_every_executable_and_every_folder_is_found_by_its_name_alone() -> None:
    names = [name for row in PROGRAMS for name in row.executables]
    folders = [
        folder for row in PROGRAMS for folder in {file.folder for file in row.files} - {"bin"}
    ]
    assert len({*names, *folders}) == len(names) + len(folders)


def test_every_build_fits_the_go_that_its_go_mod_asks_for() -> None:
    oldest = {row.name: read_recipe(row, GO_MODULES).oldest_go for row in PROGRAMS}
    assert oldest["pulumi"] == (1, 25, 11)
    assert oldest["kubernetes"] == (1, 26, 0)


def test_kubernetes_tells_the_version_that_go_mod_pins() -> None:
    recipe = read_recipe(KUBERNETES, GO_MODULES)
    major, minor, _ = recipe.version.split(".")
    assert f"version.gitVersion=v{recipe.version}" in recipe.ldflags
    assert recipe.ldflags.endswith(
        f"gitMajor={major} -X k8s.io/component-base/version.gitMinor={minor}"
    )


def test_a_pseudo_version_is_called_by_its_release() -> None:
    recipe = read_recipe(PULUMI_RESOURCE_KUBERNETES, GO_MODULES)
    assert recipe.version == "4.25.0"
    assert recipe.ldflags.endswith("main.version=4.25.0")


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
    (folder / "go.mod").write_text("module m\n\ngo 1.25.0\n")
    with pytest.raises(ToolchainError, match="does not require"):
        read_recipe(PULUMI, tmp_path)


def test_own_sources_are_part_of_what_is_pinned(tmp_path: Path) -> None:
    shutil.copytree(GO_MODULES / "etcd", tmp_path / "etcd")
    before = read_recipe(ETCD, tmp_path)
    with (tmp_path / "etcd" / "main.go").open("a") as main:
        main.write("// changed\n")
    assert read_recipe(ETCD, tmp_path).digest != before.digest


def test_the_tests_use_the_sdk_of_the_provider_that_is_built() -> None:
    pyproject = tomllib.loads((GO_MODULES.parents[1] / "pyproject.toml").read_text())
    assert (
        f"pulumi-kubernetes=={PULUMI_RESOURCE_KUBERNETES.release}"
        in (pyproject["dependency-groups"]["dev"])
    )
