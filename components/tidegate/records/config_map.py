"""ConfigMaps as records: documents under keys, written only where nobody else has written."""

import asyncio
import gzip
import json
import random
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any

from tidegate.cluster.client import Cluster, Object
from tidegate.cluster.errors import ConflictError
from tidegate.cluster.kinds import CONFIG_MAP

TRIES = 20


def config_map(
    name: str,
    labels: Mapping[str, str],
    data: Mapping[str, str],
    binary: Mapping[str, bytes] | None = None,
) -> Object:
    encoded = {key: b64encode(value).decode() for key, value in (binary or {}).items()}
    return {
        "metadata": {"name": name, "labels": dict(labels)},
        "data": dict(data),
        **({"binaryData": encoded} if encoded else {}),
    }


def text(record: Object, key: str) -> str | None:
    found = (record.get("data") or {}).get(key)
    return str(found) if found is not None else None


def binary(record: Object, key: str) -> bytes | None:
    found = (record.get("binaryData") or {}).get(key)
    return b64decode(found) if found is not None else None


def packed(value: Any) -> str:
    """JSON, compressed, as `binaryData` holds it."""
    return b64encode(gzip.compress(json.dumps(value).encode(), mtime=0)).decode()


def unpacked(record: Object, key: str) -> Any | None:
    content = binary(record, key)
    return json.loads(gzip.decompress(content)) if content is not None else None


async def change(
    cluster: Cluster, name: str, edit: Callable[[dict[str, str]], dict[str, str] | None]
) -> dict[str, str]:
    """Replace a record's data by `edit` of it, again when somebody else was quicker.

    `edit` must not change its argument; None leaves the record as it is. Returns the data that
    stand then. Raises NotFoundError, and ConflictError after TRIES.
    """
    for left in reversed(range(TRIES)):
        found = await cluster.get(CONFIG_MAP, name)
        before: dict[str, str] = dict(found.get("data") or {})
        after = edit(before)
        if after is None or after == before:
            return before
        try:
            await cluster.replace(CONFIG_MAP, {**found, "data": after})
        except ConflictError:
            if not left:
                raise
            await asyncio.sleep(random.uniform(0.01, 0.1))  # noqa: S311 - no secret
        else:
            return after
    raise AssertionError("unreachable")
