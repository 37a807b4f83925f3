"""The programs and variables with which the tests run pulumi, found as `make env` finds them."""

import os
import sys
from pathlib import Path

import pytest

from toolchain import environment
from toolchain.project import Project as Clone
from toolchain.project import tools_root
from toolchain.recipes import bundle_home
from toolchain.setup import programs_to_build

REPOSITORY = Path(__file__).resolve().parents[3]
VENV = Path(sys.prefix)


def pulumi_environment(home: Path, backend: Path) -> dict[str, str]:
    """Environment for pulumi with a home and a file backend of its own.

    Fails the test when pulumi is neither on PATH nor built.
    """
    clone = Clone(REPOSITORY)
    tools = tools_root(os.environ, Path.home())
    to_build = programs_to_build(clone, tools, os.environ)
    folders = [bundle_home(to_build, tools) / "bin"] if to_build else []
    if any(not (folder / "pulumi").exists() for folder in folders):
        pytest.fail(
            "pulumi is neither on PATH nor built in the tool cache; run `make setup` first",
            pytrace=False,
        )
    chosen = environment.settings(clone, folders, os.environ)
    path = environment.search_path([VENV / "bin"], chosen["PATH"])
    backend.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")}
    return {
        **kept,
        **chosen,
        "PATH": path,
        "VIRTUAL_ENV": str(VENV),
        "PULUMI_HOME": str(home),
        "PULUMI_BACKEND_URL": f"file://{backend}",
        "PULUMI_CONFIG_PASSPHRASE": "",
    }
