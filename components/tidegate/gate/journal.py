"""The runner's append-only journal, one JSON object a line."""

import json
from pathlib import Path
from typing import Any

from tidegate.gate.clock import utc_now


class Journal:
    """Appends events; every line is flushed, so a reader sees whole events soon."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("a", encoding="utf-8", buffering=1)
        if not _ends_whole(path):
            self._stream.write("\n")

    def write(self, event: str, message: str, **details: object) -> None:
        """`details` are further keys, already in camelCase."""
        line = {"at": utc_now(), "event": event, "message": message, **details}
        self._stream.write(json.dumps(line, allow_nan=False) + "\n")

    def close(self) -> None:
        self._stream.close()


def read_events(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Events from byte `offset` on, and the offset to go on from.

    A line that is still being written is left for the next call, one that a killed runner has left
    torn is skipped; a missing file has no events.
    """
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            content = stream.read()
    except FileNotFoundError:
        return [], offset
    whole = content[: content.rfind(b"\n") + 1]
    events = [event for line in whole.splitlines() if (event := _parsed(line)) is not None]
    return events, offset + len(whole)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _ends_whole(path: Path) -> bool:
    content = path.read_bytes()
    return not content or content.endswith(b"\n")
