"""Where the tests find the programs and folders that `make setup-tests` has installed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from toolchain.errors import ToolchainError
from toolchain.programs import PROGRAMS, PULUMI_RESOURCE_KUBERNETES, GoProgram
from toolchain.project import Project, tools_root
from toolchain.recipes import read_recipe


def tool_path(name: str) -> Path:
    """The executable of that name, as in `kube-apiserver`, in the version that this clone pins.

    Raises ToolchainError if no row of `toolchain.programs` has it or it is not built.
    """
    return _home(name, lambda row: name in row.executables) / "bin" / name


def tool_folder(name: str) -> Path:
    """The folder of files of that name, as in `gateway-crds`, in the version that this clone pins.

    Raises ToolchainError if no row of `toolchain.programs` has it or it is not installed.
    """
    return _home(name, lambda row: name in {file.folder for file in row.files}) / name


def link_kubernetes_plugin(pulumi_home: Path) -> None:
    """Put the built Kubernetes provider where `pulumi plugin install` would have put it.

    With the SDK of the same version the engine then takes it without a warning or a download; on
    PATH it would warn at each operation. Raises ToolchainError if it is not built.
    """
    provider = tool_path(PULUMI_RESOURCE_KUBERNETES.name)
    folder = pulumi_home / "plugins" / f"resource-kubernetes-v{PULUMI_RESOURCE_KUBERNETES.release}"
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / provider.name
    if not link.is_symlink():
        link.symlink_to(provider)


def _home(name: str, has: Callable[[GoProgram], bool]) -> Path:
    row = next((row for row in PROGRAMS if has(row)), None)
    if row is None:
        raise ToolchainError(f"No program of the toolchain has {name}.")
    clone = Project(Path(__file__).resolve().parent.parent)
    tools = tools_root(os.environ, Path.home())
    recipe = read_recipe(row, clone.go_modules)
    if not recipe.is_built(tools):
        raise ToolchainError(f"{name} is not installed. Run `make setup-tests`.")
    return recipe.home(tools)
