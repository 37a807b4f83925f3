"""Objects of the API as plain mappings, and what names them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

Manifest = dict[str, Any]


def now() -> str:
    """The time as the API writes it, whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def name_of(manifest: Manifest) -> str:
    return str(manifest["metadata"]["name"])


def namespace_of(manifest: Manifest) -> str:
    return str(manifest["metadata"]["namespace"])


def uid_of(manifest: Manifest) -> str:
    return str(manifest["metadata"]["uid"])


def is_deleted(manifest: Manifest) -> bool:
    """Whether somebody has asked for its deletion."""
    return "deletionTimestamp" in manifest["metadata"]


def field_at(manifest: Manifest, path: str) -> str:
    """The value of a `fieldRef`, such as `metadata.labels['app']`; empty when there is none."""
    head, bracket, key = path.partition("[")
    value: Any = manifest
    for part in head.split("."):
        value = value.get(part, {}) if isinstance(value, dict) else {}
    if bracket:
        value = value.get(key.strip("']\""), "")
    if isinstance(value, dict):
        return "\n".join(f'{name}="{each}"' for name, each in sorted(value.items()))
    return str(value)
