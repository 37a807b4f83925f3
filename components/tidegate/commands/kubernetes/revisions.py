"""Which revision of a cluster a release is.

The program computes a revision's id from settings that only it knows; a cluster knows the
revisions that are there.
"""

import re
from collections.abc import Iterable

from tidegate.spec.errors import SpecError
from tidegate.spec.revision import HASH_DIGITS


def revision_named(
    service: str, release: str, routed: Iterable[str], gated: Iterable[str]
) -> str | None:
    """The revision of `digits@2` that is routed, or else the only one that has a gate.

    None when there is none, or when several have gates and none of them is routed. Raises
    SpecError when several are routed.
    """
    name = release.rpartition("@")[2]
    pattern = re.compile(rf"{re.escape(service)}-{re.escape(name)}-[0-9a-f]{{{HASH_DIGITS}}}")
    found = sorted(each for each in routed if pattern.fullmatch(each))
    if len(found) > 1:
        raise SpecError(
            "release",
            release,
            f"the routes lead to several revisions of it: {', '.join(found)}",
            "wait for the switch between them, or run `pulumi up`, which declares one of them",
        )
    found = found or sorted(each for each in gated if pattern.fullmatch(each))
    return found[0] if len(found) == 1 else None


def release_in(service: str, revision: str) -> str:
    """`digits@2` for digits-2-4f1c9a7e."""
    return f"{service}@{revision.removeprefix(f'{service}-')[: -HASH_DIGITS - 1]}"
