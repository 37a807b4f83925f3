"""What a benchmark returns, and what is known of it before it runs."""

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Measurement:
    """One measured figure.

    `goal` is the limit in `unit`; None when the figure only informs. `reference` says what the
    value is compared with. `runs` holds the single values behind `value`.
    """

    value: float
    unit: str
    met: bool
    goal: str | None
    reference: str
    runs: Sequence[float]
    detail: Mapping[str, Any] = field(default_factory=dict)

    def line(self, figure: str) -> str:
        """One line of JSON."""
        return json.dumps(
            {
                "figure": figure,
                "value": _rounded(self.value),
                "unit": self.unit,
                "goal": self.goal,
                "met": self.met,
                "reference": self.reference,
                "runs": [_rounded(run) for run in self.runs],
                "detail": dict(self.detail),
            }
        )


@dataclass(frozen=True)
class Figure:
    """A benchmark. `by_default`: it runs when no figure is named."""

    name: str
    about: str
    minutes: float
    measure: Callable[[], Measurement]
    by_default: bool = True


def spread(values: Sequence[float]) -> dict[str, float]:
    """Smallest, median and largest value."""
    return {
        "min": _rounded(min(values)),
        "median": _rounded(statistics.median(values)),
        "max": _rounded(max(values)),
    }


def _rounded(value: float) -> float:
    return round(value, 3)
