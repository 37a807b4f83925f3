"""Releases as people name them on the command line."""

from pathlib import Path

from tidegate.spec.errors import SpecError
from tidegate.spec.release import load_release
from tidegate.stack_file import ServiceReleases


def release_name(service: str, text: str) -> str:
    """`digits@2` for "digits@2" and for "2". Raises SpecError for another service's release."""
    named, separator, release = text.rpartition("@")
    if (separator and named != service) or not release:
        raise SpecError(
            "RELEASE", text, f"it is no release of {service}", f"{service}@{release or '2'}"
        )
    return f"{service}@{release}"


def check_releases(project: Path, service: str, releases: ServiceReleases) -> None:
    """Raise SpecError when there is no such release or its manifest breaks a rule."""
    for name in releases.names:
        load_release(project / "serving", service, name.rpartition("@")[2])
