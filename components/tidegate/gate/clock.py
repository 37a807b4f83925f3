"""Wall-clock times as they stand in files."""

from datetime import UTC, datetime


def utc_now() -> str:
    """RFC 3339 in UTC with milliseconds, such as 2026-11-22T18:25:50.123Z."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
