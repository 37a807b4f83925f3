"""What a run says while it goes on, as data and as one line."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tidegate.gate.verdict import ConditionBounds

Phase = Literal["golden", "warmUp", "load", "drain"]
_PHASE_WORDS = {"golden": "golden answers", "warmUp": "warm-up", "load": "load", "drain": "drain"}


@dataclass(frozen=True)
class Progress:
    """A look at a run. `p95_milliseconds` is None before there are answers, and infinite while
    more than 5% of the requests failed. `bounds` are those of every condition a moment ago; nothing
    is decided by them."""

    phase: Phase
    seconds_left: float
    sent: int
    done: int
    errors: int
    p95_milliseconds: float | None
    total_seconds: float = 0.0
    planned: int = 0
    bounds: tuple[ConditionBounds, ...] = ()


OnProgress = Callable[[Progress], None]


def format_progress(progress: Progress) -> str:
    """One line without control characters."""
    parts = [_PHASE_WORDS[progress.phase], f"{progress.sent} sent", f"{progress.errors} errors"]
    if progress.phase in ("warmUp", "load"):
        parts.insert(1, f"{progress.seconds_left:.0f} s left")
    if progress.p95_milliseconds is not None:
        known = math.isfinite(progress.p95_milliseconds)
        parts.append(f"p95 {progress.p95_milliseconds:.1f} ms" if known else "p95 beyond reach")
    return ", ".join(parts)
