"""Which revision of a cluster a release is.

The program computes a revision's id from settings that only it knows; a cluster knows the
revisions that are there.
"""

import re
from collections.abc import Iterable, Sequence

from tidegate.spec.errors import SpecError
from tidegate.spec.revision import HASH_DIGITS
from tidegate.stack_file import ServiceReleases


def revisions_named(
    service: str, releases: ServiceReleases, routed: Sequence[str], gated: Sequence[str]
) -> list[str | None]:
    """The revision of each of the releases: the one that is routed, or else the only one that has
    a gate. None when there is none, or when it could be several.

    Raises SpecError when several revisions of the live release are routed: one of them is to take
    the traffic. Of the standby there may be several: in the middle of a canary between two.
    """
    found = _of_release(service, releases.release, routed)
    if len(found) > 1:
        raise SpecError(
            "release",
            releases.release,
            f"the routes lead to several revisions of it: {', '.join(found)}",
            "wait for the switch between them, or run `pulumi up`, which declares one of them",
        )
    return [_only_one(service, name, routed, gated) for name in releases.names]


def _only_one(
    service: str, release: str, routed: Iterable[str], gated: Iterable[str]
) -> str | None:
    found = _of_release(service, release, routed) or _of_release(service, release, gated)
    return found[0] if len(found) == 1 else None


def _of_release(service: str, release: str, revisions: Iterable[str]) -> list[str]:
    name = release.rpartition("@")[2]
    pattern = re.compile(rf"{re.escape(service)}-{re.escape(name)}-[0-9a-f]{{{HASH_DIGITS}}}")
    return sorted(each for each in revisions if pattern.fullmatch(each))


def release_in(service: str, revision: str) -> str:
    """`digits@2` for digits-2-4f1c9a7e."""
    return f"{service}@{revision.removeprefix(f'{service}-')[: -HASH_DIGITS - 1]}"
