"""SHA-256 digests in the form `sha256:<64 hex digits>`, and the JSON they are taken over."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

_PREFIX = "sha256:"
_HEX_DIGITS = frozenset("0123456789abcdef")


def _checked(text: str) -> str:
    hexadecimal = text.removeprefix(_PREFIX)
    if not text.startswith(_PREFIX) or len(hexadecimal) != 64 or set(hexadecimal) - _HEX_DIGITS:
        raise ValueError("write 'sha256:' and 64 lower-case hex digits")
    return text


Digest = Annotated[str, AfterValidator(_checked)]
"""A pydantic field that holds `sha256:<64 lower-case hex digits>`."""


def digest_bytes(content: bytes) -> str:
    return _PREFIX + hashlib.sha256(content).hexdigest()


def digest_file(path: Path) -> str:
    """Raises OSError when the file cannot be read."""
    with path.open("rb") as file:
        return _PREFIX + hashlib.file_digest(file, "sha256").hexdigest()


def tree_findings(root: Path, expected: Mapping[str, str]) -> tuple[str, ...]:
    """How the files below `root` differ from `expected` (relative POSIX path → digest).

    Empty when every expected file is there with its digest and no other file is.
    """
    found = {
        path.relative_to(root).as_posix(): path for path in root.rglob("*") if not path.is_dir()
    }
    missing = [f"{name} is missing" for name in sorted(set(expected) - set(found))]
    extra = [f"{name} is not in the manifest" for name in sorted(set(found) - set(expected))]
    changed = []
    for name in sorted(set(expected) & set(found)):
        digest = digest_file(found[name])
        if digest != expected[name]:
            changed.append(f"{name} is {digest}, expected {expected[name]}")
    return (*missing, *extra, *changed)


def canonical_json(value: object) -> bytes:
    """Equal values give equal bytes: sorted keys, no white space, UTF-8.

    Raises ValueError for NaN and infinities, TypeError for what JSON cannot say.
    """
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8")
