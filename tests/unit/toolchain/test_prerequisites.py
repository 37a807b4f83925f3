"""Each missing prerequisite gives a sentence that says what to install."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain import interpreter, prerequisites
from toolchain.programs import ETCD, PULUMI
from toolchain.recipes import Recipe

pytestmark = pytest.mark.unit

ENGINE = Recipe(PULUMI, Path(), "3.259.0", (1, 25, 11), "")
SERVER = Recipe(ETCD, Path(), "3.6.13", (1, 26, 0), "")


def test_what_fits_is_no_problem() -> None:
    assert prerequisites.platform_problem("Linux", "x86_64") is None
    assert prerequisites.glibc_problem("glibc 2.35") is None
    assert prerequisites.go_problem("go1.25.11", [ENGINE]) is None
    assert prerequisites.go_problem(None, []) is None
    assert interpreter.version_problem((3, 11)) is None
    assert interpreter.version_problem((3, 12)) is None


@pytest.mark.parametrize(("system", "machine"), [("Darwin", "arm64"), ("Linux", "aarch64")])
def test_another_machine_is_sent_to_the_dev_container(system: str, machine: str) -> None:
    problem = prerequisites.platform_problem(system, machine)
    assert problem is not None
    assert f"{system} {machine}" in problem
    assert "dev container" in problem


@pytest.mark.parametrize("library", ["glibc 2.31", ""])
def test_an_old_or_other_c_library_names_the_systems_that_do(library: str) -> None:
    problem = prerequisites.glibc_problem(library)
    assert problem is not None
    assert "glibc 2.35 or newer" in problem
    assert "Debian 12" in problem


@pytest.mark.parametrize("printed", [None, "go1.25.10", "go1.19.8", ""])
def test_go_too_old_or_absent_names_the_version_and_the_other_way(printed: str | None) -> None:
    problem = prerequisites.go_problem(printed, [ENGINE])
    assert problem is not None
    assert "Go 1.25.11 or newer" in problem
    assert "pulumi CLI" in problem


def test_the_newest_go_that_any_build_needs_is_asked_for() -> None:
    problem = prerequisites.go_problem("go1.25.11", [ENGINE, SERVER])
    assert problem is not None
    assert "Go 1.26.0 or newer" in problem
    assert "build pulumi, etcd" in problem


def test_pulumi_is_no_way_out_of_building_what_only_tests_need() -> None:
    problem = prerequisites.go_problem(None, [SERVER])
    assert problem is not None
    assert "pulumi CLI" not in problem


@pytest.mark.parametrize(
    ("version", "reason"), [((3, 10), "too old"), ((3, 13), "too new"), ((2, 7), "too old")]
)
def test_an_unsupported_python_says_which_way_it_is_off(
    version: tuple[int, int], reason: str
) -> None:
    problem = interpreter.version_problem(version)
    assert problem is not None
    assert reason in problem
