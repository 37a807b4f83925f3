"""The runner's append-only journal, one JSON object a line."""

import json
from pathlib import Path
from typing import Any

from tidegate.gate.clock import utc_now


class Journal:
    """Appends events; every line is flushed, so a reader sees whole events soon."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("a", encoding="utf-8", buffering=1)

    def write(self, event: str, message: str, **details: object) -> None:
        """`details` are further keys, already in camelCase."""
        line = {"at": utc_now(), "event": event, "message": message, **details}
        self._stream.write(json.dumps(line, allow_nan=False) + "\n")

    def close(self) -> None:
        self._stream.close()


def read_events(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Events from byte `offset` on, and the offset to go on from.

    A line that is still being written is left for the next call; a missing file has no events.
    """
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            content = stream.read()
    except FileNotFoundError:
        return [], offset
    whole = content[: content.rfind(b"\n") + 1]
    return [json.loads(line) for line in whole.splitlines()], offset + len(whole)
