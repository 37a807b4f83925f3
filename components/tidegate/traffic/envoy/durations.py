"""Durations as Envoy's JSON wants them."""


def duration(seconds: float) -> str:
    """A protobuf Duration in JSON: decimal seconds down to nanoseconds, never with an exponent."""
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"
