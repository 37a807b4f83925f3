"""Releases as people name them on the command line, and the revisions they are here."""

from pathlib import Path

from tidegate.local import PLATFORM
from tidegate.spec.errors import SpecError
from tidegate.spec.release import load_release
from tidegate.spec.revision import Revision
from tidegate.stack_file import ServiceReleases, StackFile


def release_name(service: str, text: str) -> str:
    """`digits@2` for "digits@2" and for "2". Raises SpecError for another service's release."""
    named, separator, release = text.rpartition("@")
    if (separator and named != service) or not release:
        raise SpecError(
            "RELEASE", text, f"it is no release of {service}", f"{service}@{release or '2'}"
        )
    return f"{service}@{release}"


def declared_revisions(
    project: Path, file: StackFile, service: str, releases: ServiceReleases
) -> list[str]:
    """Ids of what `pulumi up` makes of these releases with this stack file: live one, standby.

    Raises SpecError when there is no such release or its manifest breaks a rule.
    """
    probes = file.probes(service)
    names = [releases.release, *([] if releases.standby is None else [releases.standby])]
    return [
        Revision(
            platform=PLATFORM,
            release=load_release(project / "serving", service, name.rpartition("@")[2]),
            probes=probes,
        ).id
        for name in names
    ]
