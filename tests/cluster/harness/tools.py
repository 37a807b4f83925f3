"""Where the cluster's programs and their files are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tools:
    """`program` finds a program by its name, `folder` a program's files, such as "kwok-stages"."""

    program: Callable[[str], Path]
    folder: Callable[[str], Path]
