"""Versions as programs print them."""

from __future__ import annotations

import re

Version = tuple[int, int, int]

_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


def parse(text: str) -> Version | None:
    """Find the first dotted version in what a program printed; None if there is none.

    `v3.259.0-dev.0`, `go1.26.8` and `glibc 2.36` are understood; a missing third number is 0.
    """
    found = _VERSION.search(text)
    if found is None:
        return None
    major, minor, patch = found.groups(default="0")
    return int(major), int(minor), int(patch)


def show(version: Version) -> str:
    """Write a version with its three numbers."""
    return ".".join(map(str, version))
