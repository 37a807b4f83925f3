"""What is wrong with something, in words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Object = Mapping[str, Any]


@dataclass(frozen=True)
class LogSource:
    """The container whose last lines say more."""

    pod: str
    container: str


@dataclass(frozen=True)
class Trouble:
    """One cause. `is_lasting`: time alone does not mend it, so nobody should wait for long."""

    sentence: str
    is_lasting: bool
    logs: LogSource | None = None


def name_of(item: Object) -> str:
    return str(item["metadata"]["name"])


def events_about(events: Iterable[Object], item: Object) -> list[Object]:
    """Events that name the object, oldest first."""
    name = name_of(item)
    uid = item["metadata"].get("uid")
    found = [
        each
        for each in events
        if each["involvedObject"].get("name") == name
        and each["involvedObject"].get("uid") in {None, uid}
    ]
    return sorted(found, key=_when)


def newest_message(events: Sequence[Object], *reasons: str) -> str | None:
    """What the newest event with one of the reasons says."""
    for each in reversed(events):
        if each.get("reason") in reasons:
            return one_line(str(each.get("message") or ""))
    return None


def one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(". ")


def _when(event: Object) -> datetime:
    series = event.get("series") or {}
    for value in (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event["metadata"].get("creationTimestamp"),
    ):
        if value:
            return datetime.fromisoformat(str(value))
    return datetime.min.replace(tzinfo=UTC)
