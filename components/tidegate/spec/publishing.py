"""Publishing a release: its files and, last of all, its manifest."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from tidegate.spec.digests import digest_bytes
from tidegate.spec.errors import SpecError
from tidegate.spec.release import Release, manifest_path


def manifest_bytes(release: Release) -> bytes:
    text = yaml.safe_dump(release.manifest(), sort_keys=False, allow_unicode=True, width=100)
    return text.encode("utf-8")


def refuse_published(serving_root: Path, service: str, release: str) -> None:
    """Raises SpecError when the release exists: what was published stays as it is."""
    manifest = manifest_path(serving_root, service, release)
    if manifest.exists():
        raise SpecError(
            "release",
            f"{service}@{release}",
            f"{manifest} exists and a release never changes",
            "publish under a new name, such as the next number",
        )


def publish(serving_root: Path, release: Release, files: Mapping[str, bytes]) -> None:
    """Write `files` (path below the serving root → content) and the manifest of `release`.

    The manifest comes last: an interrupted run leaves no release and can be repeated.

    Raises SpecError when the release exists already, or when `files` are not its files.
    """
    refuse_published(serving_root, release.service, release.release)
    manifest = manifest_path(serving_root, release.service, release.release)
    for name, content in files.items():
        path = serving_root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    release.verify(serving_root)
    manifest.parent.mkdir(parents=True, exist_ok=True)
    partial = manifest.with_suffix(".partial")
    partial.write_bytes(manifest_bytes(release))
    partial.rename(manifest)


def differences(
    serving_root: Path, release: Release, files: Mapping[str, bytes]
) -> tuple[str, ...]:
    """Files below the serving root that are not the same bytes; empty when nothing differs."""
    manifest = manifest_path(serving_root, release.service, release.release)
    expected = {serving_root / name: content for name, content in files.items()}
    expected[manifest] = manifest_bytes(release)
    found = []
    for path, content in expected.items():
        if not path.is_file():
            found.append(f"{path} is missing")
        elif path.read_bytes() != content:
            found.append(
                f"{path} is {digest_bytes(path.read_bytes())}, built {digest_bytes(content)}"
            )
    return tuple(found)
