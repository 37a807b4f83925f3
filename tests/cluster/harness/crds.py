"""Custom resource definitions, applied as their modules ship them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from lightkube import ApiError, Client
from lightkube.generic_resource import create_global_resource
from lightkube.resources.apiextensions_v1 import CustomResourceDefinition

FIELD_MANAGER = "test-harness"
FILES = {"gateway-crds": "*.yaml", "leaderworkerset-crds": "*_leaderworkersets.yaml"}
"""By folder of the tools, which files the tests need."""
ESTABLISHED_SECONDS = 180.0
POLL_SECONDS = 0.1


def apply_crds(client: Client, folder: Path, pattern: str) -> list[str]:
    """Apply the definitions in files below the folder, server-side. Returns their names.

    They are past the size that an annotation of a client-side apply holds. Other objects that the
    files bring, such as admission policies, are applied too.
    """
    names = []
    for manifest in _manifests(folder, pattern):
        if manifest["kind"] == "CustomResourceDefinition":
            kind: Any = CustomResourceDefinition
            names.append(manifest["metadata"]["name"])
        else:
            group, _, version = manifest["apiVersion"].partition("/")
            plural = manifest["kind"].lower()
            plural = plural[:-1] + "ies" if plural.endswith("y") else plural + "s"
            kind = create_global_resource(group, version, manifest["kind"], plural)
        client.apply(
            kind.from_dict(manifest),
            name=manifest["metadata"]["name"],
            field_manager=FIELD_MANAGER,
            force=True,
        )
    return names


def wait_until_established(client: Client, names: list[str]) -> None:
    """Wait until the API server serves all of them. Raises AssertionError."""
    missing = set(names)
    deadline = time.monotonic() + ESTABLISHED_SECONDS
    while missing:
        if time.monotonic() > deadline:
            raise AssertionError(f"not established: {', '.join(sorted(missing))}")
        missing = {each for each in missing if not _is_established(client, each)}
        time.sleep(POLL_SECONDS)


def _is_established(client: Client, name: str) -> bool:
    try:
        found = client.get(CustomResourceDefinition, name)
    except ApiError:
        return False
    conditions = (found.status.conditions if found.status else None) or []
    return any(each.type == "Established" and each.status == "True" for each in conditions)


def _manifests(folder: Path, pattern: str) -> Iterator[dict[str, Any]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for path in sorted(folder.rglob(pattern)):
        for manifest in yaml.load_all(path.read_text(encoding="utf-8"), loader):
            if manifest and "kind" in manifest and manifest["kind"] != "Kustomization":
                yield manifest
