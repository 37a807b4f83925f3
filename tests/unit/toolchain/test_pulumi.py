"""The pulumi on PATH is used exactly when it works with this project."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain import pulumi

pytestmark = pytest.mark.unit


def install(folder: Path, *names: str, version: str = "v3.259.0") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        file = folder / name
        file.write_text(f"#!/bin/sh\necho {version}\n")
        file.chmod(0o755)
    return folder


COMPLETE = ("pulumi", "pulumi-language-python", "pulumi-language-python-exec")


def test_a_complete_installation_is_used(tmp_path: Path) -> None:
    folder = install(tmp_path / "bin", *COMPLETE)
    found = pulumi.look(f"/usr/bin:{folder}", tools=tmp_path / "tools")
    assert pulumi.problem(found) is None
    assert found.pulumi == folder / "pulumi"


def test_the_launcher_may_lie_beside_the_host_that_a_link_points_to(tmp_path: Path) -> None:
    real = install(tmp_path / "opt", *COMPLETE)
    links = tmp_path / "bin"
    links.mkdir()
    for name in COMPLETE[:2]:
        (links / name).symlink_to(real / name)
    assert pulumi.problem(pulumi.look(str(links), tools=tmp_path / "tools")) is None


@pytest.mark.parametrize(
    ("names", "version", "reason"),
    [
        ((), "v3.259.0", "pulumi is not on PATH"),
        (("pulumi",), "v3.259.0", "has no pulumi-language-python on PATH"),
        (COMPLETE[:2], "v3.259.0", "has no pulumi-language-python-exec beside it"),
        (COMPLETE, "v3.199.9", "is 3.199.9; 3.200.0 or newer is needed"),
        (COMPLETE, "unknown", "does not tell its version"),
    ],
)
def test_an_incomplete_or_old_one_is_not_used(
    tmp_path: Path, names: tuple[str, ...], version: str, reason: str
) -> None:
    folder = install(tmp_path / "bin", *names, version=version)
    problem = pulumi.problem(pulumi.look(str(folder), tools=tmp_path / "tools"))
    assert problem is not None
    assert reason in problem


def test_a_program_of_the_tool_cache_does_not_count_as_the_users(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    folder = install(tools / "pulumi" / "3.100.0" / "bin", *COMPLETE)
    assert pulumi.look(str(folder), tools).pulumi is None
