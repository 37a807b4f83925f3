"""The release that a resource was declared with, as it lies below the serving root."""

from pathlib import Path

from tidegate.spec.errors import SpecError
from tidegate.spec.release import Release, load_release


def declared_release(serving_root: Path, service: str, release: str, digest: str) -> Release:
    """The manifest. Raises SpecError when it is not the one that was declared any more."""
    found = load_release(serving_root, service, release)
    if found.digest != digest:
        raise SpecError(
            f"{service}@{release}",
            found.digest,
            f"the manifest changed while it was being deployed; declared is {digest}",
            "run `pulumi up` again",
        )
    return found
