"""Durations as the Gateway API writes them."""

_MILLISECONDS = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}


def duration(seconds: float) -> str:
    """ "1m30s500ms" for 90.5. At least a millisecond, because "0s" would mean no limit."""
    left = max(1, round(seconds * 1000))
    parts = []
    for unit, size in _MILLISECONDS.items():
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
