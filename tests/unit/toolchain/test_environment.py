"""What `make env` prints: the project first, and what the user has set stays."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from toolchain import environment
from toolchain.project import Project, tools_root

pytestmark = pytest.mark.unit

PROJECT = Project(Path("/project"))


def test_the_project_comes_first_on_path_and_once() -> None:
    chosen = environment.settings(
        PROJECT, [Path("/tools/bin")], {"PATH": "/usr/bin:/tools/bin:/bin"}
    )
    assert chosen["PATH"] == "/project/.venv/bin:/tools/bin:/usr/bin:/bin"


def test_the_default_backend_is_a_folder_of_the_project_without_a_passphrase() -> None:
    chosen = environment.settings(PROJECT, [], {})
    assert chosen["PULUMI_BACKEND_URL"] == "file:///project/.tidegate/backend"
    assert chosen["PULUMI_CONFIG_PASSPHRASE"] == ""


@pytest.mark.parametrize(
    "name", ["PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_BACKEND_URL"]
)
def test_what_the_user_has_set_is_neither_replaced_nor_printed(name: str) -> None:
    chosen = environment.settings(PROJECT, [], {name: "file:///own"})
    assert name not in chosen
    assert "/own" not in environment.exports(chosen)


def test_another_kind_of_backend_gets_no_empty_passphrase() -> None:
    chosen = environment.settings(PROJECT, [], {"PULUMI_BACKEND_URL": "s3://states"})
    assert "PULUMI_CONFIG_PASSPHRASE" not in chosen


def test_a_shell_reads_back_what_was_exported() -> None:
    chosen = {"FIRST": "it's $HOME; a `b`", "SECOND": ""}
    script = f'{environment.exports(chosen)}\nprintf "%s|%s" "$FIRST" "$SECOND"'
    read = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert read.stdout == "it's $HOME; a `b`|"


def test_the_tool_cache_follows_the_users_settings() -> None:
    home = Path("/home/user")
    assert tools_root({}, home) == Path("/home/user/.cache/tidegate/tools")
    assert tools_root({"XDG_CACHE_HOME": "/x"}, home) == Path("/x/tidegate/tools")
    assert tools_root({"XDG_CACHE_HOME": "/x", "TIDEGATE_TOOLS": "/t"}, home) == Path("/t")
