"""Axes that read like the field's own words: milliseconds, nines, sensible units of time."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from tidegate.gate.numbers_in_words import plain
from tidegate.gate.samples import FloatArray

_TAILS = (1.0, 0.5, 0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6)


def time_unit(seconds: float) -> tuple[float, str]:
    """Divisor and name of the unit in which a run of that length is drawn."""
    if seconds <= 600:
        return 1.0, "s"
    return (60.0, "min") if seconds <= 7200 else (3600.0, "h")


def use_milliseconds(axis: Axis, lowest: float, highest: float) -> None:
    """A logarithmic axis with plain numbers at 1, 2 and 5 of each decade, or 1 on wide ones."""
    decades = math.log10(highest / lowest)
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 2.5 else (1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def use_nines(axes: Axes, requests: int) -> None:
    """A y axis of shares that gives each further nine the same room, up to 1 - 1/requests."""
    highest = max(math.log10(max(requests, 10)), 1.0)
    axes.set_ylim(0, highest)
    tails = [tail for tail in _TAILS if -math.log10(tail) <= highest]
    axes.set_yticks([-math.log10(tail) for tail in tails])
    axes.set_yticklabels([f"{plain_percent(1 - tail)}" for tail in tails])


def nines(shares: FloatArray) -> FloatArray:
    """Where `use_nines` draws shares: 0.99 → 2; 1 becomes NaN."""
    tails = 1.0 - shares
    with np.errstate(divide="ignore"):
        return np.where(tails > 1e-12, -np.log10(tails), np.nan)


def plain_percent(share: float) -> str:
    """0.999 → "99.9%"."""
    return f"{round(share * 100, 6):g}%"


def finite_range(
    arrays: Sequence[FloatArray], lowest: float, highest: float
) -> tuple[float, float]:
    """Smallest and largest finite value above 0; the given ones when there is none."""
    known = [array[np.isfinite(array) & (array > 0)] for array in arrays]
    values = np.concatenate([*known, np.empty(0)])
    if not values.size:
        return lowest, highest
    return float(values.min()), float(values.max())
