"""Times as people at this machine read them, and spans as they type them."""

import re
from datetime import UTC, datetime, timedelta

from tidegate.spec.errors import SpecError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def local(at: str) -> datetime:
    """A recorded time (RFC 3339) in this machine's time zone."""
    return datetime.fromisoformat(at).astimezone()


def local_clock(at: str) -> str:
    """03:12:07, in this machine's time zone."""
    return local(at).strftime("%H:%M:%S")


def since(text: str, now: datetime | None = None) -> datetime:
    """The moment that "90s", "15m", "1h" or "2d" ago was. Raises SpecError for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip())
    if found is None:
        raise SpecError("--since", text, "it is no span of time", "90s, 15m, 1h or 2d")
    span = timedelta(**{_UNITS[found[2]]: float(found[1])})
    return (now or datetime.now(UTC)) - span
