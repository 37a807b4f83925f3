"""Tests find what `make setup-tests` installed by its name, or are told to run it."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain.errors import ToolchainError
from toolchain.installed import link_kubernetes_plugin, tool_folder, tool_path
from toolchain.programs import ENVOY_GATEWAY, KUBERNETES, PULUMI_RESOURCE_KUBERNETES
from toolchain.recipes import read_recipe

pytestmark = pytest.mark.unit

GO_MODULES = Path(__file__).parents[3] / "toolchain" / "go"


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIDEGATE_TOOLS", str(tmp_path))
    return tmp_path


def test_a_program_is_found_by_its_own_name(tools: Path) -> None:
    home = read_recipe(KUBERNETES, GO_MODULES).home(tools)
    home.mkdir(parents=True)
    assert tool_path("kube-scheduler") == home / "bin" / "kube-scheduler"


def test_a_folder_of_files_is_found_by_its_name(tools: Path) -> None:
    home = read_recipe(ENVOY_GATEWAY, GO_MODULES).home(tools)
    home.mkdir(parents=True)
    assert tool_folder("gateway-crds") == home / "gateway-crds"


@pytest.mark.usefixtures("tools")
def test_what_is_not_installed_names_the_command() -> None:
    with pytest.raises(ToolchainError, match="kube-apiserver is not installed"):
        tool_path("kube-apiserver")
    with pytest.raises(ToolchainError, match="Run `make setup-tests`"):
        tool_folder("gateway-crds")


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(ToolchainError, match="No program of the toolchain has kubectl"):
        tool_path("kubectl")


def test_pulumi_finds_the_provider_as_an_installed_plugin(tools: Path) -> None:
    recipe = read_recipe(PULUMI_RESOURCE_KUBERNETES, GO_MODULES)
    recipe.bin(tools).mkdir(parents=True)
    home = tools / "pulumi-home"
    for _ in range(2):
        link_kubernetes_plugin(home)
    folder = home / "plugins" / f"resource-kubernetes-v{recipe.version}"
    (link,) = folder.iterdir()
    assert link.name == "pulumi-resource-kubernetes"
    assert link.readlink() == recipe.bin(tools) / link.name
