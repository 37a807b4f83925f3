"""Where each condition stood at each look, relative to its limit."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tidegate.gate.numbers_in_words import plain
from tidegate.gate.report.chart import NARROW, Chart, draw_chart
from tidegate.gate.report.scales import time_unit
from tidegate.gate.report.svg import COLOURS, figure_of
from tidegate.gate.summary import looks_of, title_of
from tidegate.gate.verdict import ConditionBounds, LookVerdict, Outcome, Verdict

_HIGHEST_RATIO = 3.0
_OUTCOME_COLOURS = {
    Outcome.PASS: "good",
    Outcome.FAIL: "limit",
    Outcome.INCONCLUSIVE: "unknown",
    Outcome.INVALID: "unknown",
}


def looks_chart(verdict: Verdict) -> Chart | None:
    """Bounds of every condition at each look, relative to the limit. None without looks."""
    looks = looks_of(verdict)
    if not looks:
        return None
    names = list(dict.fromkeys(title_of(each) for look in looks for each in look.conditions))

    def draw(width: float) -> Figure:
        columns = min(len(names), 4 if width > NARROW else 2)
        rows = math.ceil(len(names) / columns)
        figure = figure_of(width, 60 + 190 * rows)
        panels = figure.subplots(rows, columns, sharex=True, squeeze=False)
        unit = time_unit(looks[-1].seconds)
        for position, name in enumerate(names):
            axes = panels[position // columns, position % columns]
            _bounds(axes, looks, name, unit[0])
            axes.set_title(name)
        for unused in panels.flat[len(names) :]:
            unused.set_visible(False)
        for column in range(columns):
            last = max(row for row in range(rows) if row * columns + column < len(names))
            panels[last, column].tick_params(labelbottom=True)
            panels[last, column].set_xlabel(f"judged time, {unit[1]}")
        for row in range(rows):
            panels[row, 0].set_ylabel("÷ limit")
        return figure

    return draw_chart(
        "looks",
        "Bounds at each look",
        "The bar holds the true value at the look's confidence, the mark is the measured one, both "
        "divided by the limit. A bar wholly below 1 keeps the limit; wholly above 1 fails. Looks "
        "before the end may only fail.",
        _describe_looks(looks[-1]),
        draw,
    )


def _bounds(axes: Axes, looks: Sequence[LookVerdict], name: str, divisor: float) -> None:
    found = [
        (look.seconds, each) for look in looks for each in look.conditions if title_of(each) == name
    ]
    low, high = _ratio_range([each for _, each in found])
    axes.axhline(1, color=COLOURS["limit"], linewidth=1.4)
    for seconds, each in found:
        colour = COLOURS[_OUTCOME_COLOURS[each.outcome]]
        lower = max((each.lower or 0.0) / each.limit, low)
        upper = math.inf if each.upper is None else each.upper / each.limit
        time = seconds / divisor
        ends = [min(lower, high), min(upper, high)]
        axes.plot([time, time], ends, color=colour, linewidth=5, solid_capstyle="butt")
        if upper > high:
            axes.plot(time, high, marker="^", color=colour, markersize=9, clip_on=False)
        if each.estimate is not None:
            axes.plot(
                time,
                min(max(each.estimate / each.limit, low), high),
                marker="o",
                color=COLOURS["page"],
                markeredgecolor=COLOURS["ink"],
                markersize=6,
                clip_on=False,
            )
    axes.set_ylim(low, high)
    axes.set_xlim(0, looks[-1].seconds / divisor * 1.08)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(visible=False, axis="x")


def _ratio_range(conditions: Sequence[ConditionBounds]) -> tuple[float, float]:
    """From 0 for shares; ratios of latencies lie close to their limit and are drawn closely."""
    known = [each.upper / each.limit for each in conditions if each.upper is not None]
    high = min(max([1.2, *known]), _HIGHEST_RATIO)
    if any(each.kind != "comparison" for each in conditions):
        return 0.0, high * 1.05
    lowest = min([0.9, *(each.lower / each.limit for each in conditions if each.lower)])
    return max(lowest - 0.05, 0.0), high * 1.02


def _describe_looks(last: LookVerdict) -> str:
    parts = []
    for each in last.conditions:
        upper = "unknown" if each.upper is None else plain(each.upper / each.limit)
        lower = plain((each.lower or 0.0) / each.limit)
        parts.append(f"{title_of(each)} between {lower} and {upper} of its limit, {each.outcome}")
    return f"Bounds divided by limits. At {plain(last.seconds)} s: {'; '.join(parts)}."
