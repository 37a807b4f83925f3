"""A service's journal inside a record: the last events, one JSON object a line."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from tidegate.gate.clock import utc_now

KEPT_EVENTS = 200
KEPT_BYTES = 400_000


def journal_line(event: str, message: str, **details: object) -> dict[str, object]:
    """An event of this moment; `details` are further keys in camelCase."""
    return {"at": utc_now(), "event": event, "message": message, **details}


def appended(journal: str, new: Iterable[Mapping[str, object]]) -> str:
    """The journal with more events, and without the oldest when it becomes too long."""
    added = [json.dumps(line, allow_nan=False) for line in new]
    lines = [*journal.splitlines(), *added][-KEPT_EVENTS:]
    while len(lines) > 1 and sum(len(each) + 1 for each in lines) > KEPT_BYTES:
        lines = lines[1:]
    return "".join(f"{each}\n" for each in lines)


def events(journal: str) -> list[dict[str, Any]]:
    """Oldest first."""
    return [json.loads(line) for line in journal.splitlines()]
