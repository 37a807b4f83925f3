"""Versions as programs print them."""

from __future__ import annotations

import pytest

from toolchain import versions

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ("v3.259.0", (3, 259, 0)),
        ("v3.200.0-dev.0", (3, 200, 0)),
        ("go1.26.8", (1, 26, 8)),
        ("go1.26", (1, 26, 0)),
        ("glibc 2.36", (2, 36, 0)),
        ("devel", None),
        ("", None),
    ],
)
def test_a_version_is_found_in_what_a_program_prints(
    printed: str, version: versions.Version | None
) -> None:
    assert versions.parse(printed) == version


def test_versions_compare_by_number() -> None:
    older, newer = versions.parse("go1.9.7"), versions.parse("go1.25.11")
    assert older is not None
    assert newer is not None
    assert older < newer
