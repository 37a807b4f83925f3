"""The report's figures. Each is drawn twice: for a wide page and for a phone."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tidegate.gate.numbers_in_words import plain
from tidegate.gate.profile import quantile_share
from tidegate.gate.report.picture import LATENCY_EDGES, ArmPicture, Picture
from tidegate.gate.report.scales import (
    finite_range,
    nines,
    time_unit,
    use_milliseconds,
    use_nines,
)
from tidegate.gate.report.svg import COLOURS, drawing_style, figure_of, inline_svg
from tidegate.gate.samples import BASELINE_ARM, CANDIDATE_ARM, ErrorKind, FloatArray
from tidegate.gate.summary import looks_of
from tidegate.gate.verdict import ConditionBounds, LookVerdict, Outcome, Verdict

_WIDE, _NARROW = 720, 350
_LINES = ("-", "--", ":", "-.")
_ARMS = {CANDIDATE_ARM: "candidate", BASELINE_ARM: "baseline"}
_DENSITY_COLOUR = {CANDIDATE_ARM: "#5c93d6", BASELINE_ARM: "#d39255"}
"""Images keep their colours in light and dark, so they are middling."""
_KIND_COLOURS = ("limit", "other1", "unknown", "other2", "other3", "muted")
_HIGHEST_RATIO = 3.0
_OUTCOME_COLOURS = {
    Outcome.PASS: "good",
    Outcome.FAIL: "limit",
    Outcome.INCONCLUSIVE: "unknown",
    Outcome.INVALID: "unknown",
}


@dataclass(frozen=True)
class Chart:
    """One figure in both widths, with what it shows in words."""

    name: str
    title: str
    caption: str
    wide: str
    narrow: str


def _chart(
    name: str,
    title: str,
    caption: str,
    description: str,
    draw: Callable[[float], Figure],
) -> Chart:
    def svg(variant: str, width: float) -> str:
        figure_name = f"{name}-{variant}"
        with drawing_style(figure_name):
            return inline_svg(draw(width), figure_name, title, description)

    return Chart(name, title, caption, svg("wide", _WIDE), svg("narrow", _NARROW))


def latency_chart(picture: Picture, verdict: Verdict) -> Chart:
    """Latency over time, one panel per arm, with the SLO lines."""
    slos = {part.quantile: part.slo_milliseconds for part in verdict.quantiles}
    drawn = sorted({"p50", *slos}, key=quantile_share)

    def draw(width: float) -> Figure:
        figure = figure_of(width, 300 if len(picture.arms) == 1 else 480)
        panels = figure.subplots(len(picture.arms), sharex=True, sharey=True, squeeze=False)[:, 0]
        low, high = _latency_limits(picture, slos)
        for axes, (arm, counts) in zip(panels, picture.arms.items(), strict=True):
            axes.set_yscale("log")
            _density(axes, picture, arm, low, high)
            _quantile_lines(axes, picture, counts, drawn, _ARMS.get(arm, "muted"))
            _slo_lines(axes, slos)
            _warm_up(axes, picture)
            axes.set_ylim(low, high)
            axes.set_ylabel("latency, ms")
            use_milliseconds(axes.yaxis, low, high)
            if len(picture.arms) > 1:
                axes.set_title(_ARMS.get(arm, f"arm {arm}"))
            axes.grid(visible=False, axis="x")
        _legend(figure, panels[0], width)
        _label_time(panels[-1], picture)
        return figure

    return _chart(
        "latency",
        "Latency over time",
        "Latency counts from the moment a request was due. The shade is where requests lie; a "
        "line breaks off where the quantile falls on a failed request.",
        _describe_latency(verdict, picture),
        draw,
    )


def distribution_chart(picture: Picture, verdict: Verdict) -> Chart:
    """Empirical CDF of the judged requests of every arm."""

    def draw(width: float) -> Figure:
        figure = figure_of(width, 320)
        axes = figure.subplots()
        axes.set_xscale("log")
        curves = []
        for arm, counts in picture.arms.items():
            shares = counts.distribution()
            seen = (shares > 0) & (np.append(0.0, shares[:-1]) < shares[-1])
            milliseconds = LATENCY_EDGES[1:][seen] * 1000
            curves.append(milliseconds)
            axes.plot(
                milliseconds,
                nines(np.minimum(shares[seen], 1 - 0.5 / max(counts.judged_planned, 1))),
                color=COLOURS[_ARMS.get(arm, "muted")],
                linestyle=_LINES[arm % len(_LINES)],
                drawstyle="steps-post",
                label=_ARMS.get(arm, f"arm {arm}"),
            )
        slos = np.array([part.slo_milliseconds for part in verdict.quantiles])
        shares = np.array([1 - part.allowed_share for part in verdict.quantiles])
        axes.plot(
            slos,
            nines(shares),
            linestyle="none",
            marker="D",
            markersize=7,
            color=COLOURS["limit"],
            label="SLO",
        )
        low, high = finite_range([*curves, slos], 1.0, 1000.0)
        axes.set_xlim(low / 1.2, high * 1.3)
        use_milliseconds(axes.xaxis, low, high)
        use_nines(axes, max(counts.judged_planned for counts in picture.arms.values()))
        axes.set_xlabel("latency, ms")
        axes.set_ylabel("answered rightly within")
        _legend(figure, axes, width)
        return figure

    return _chart(
        "distribution",
        "How many requests were answered within how long",
        "Empirical distribution of the judged requests; each nine has the same room. The curve "
        "must pass on the left of an SLO's mark; one that ends below the top shows the share that "
        "failed.",
        _describe_distribution(verdict),
        draw,
    )


def looks_chart(verdict: Verdict) -> Chart | None:
    """Bounds of every condition at each look, relative to the limit. None without looks."""
    looks = looks_of(verdict)
    if not looks:
        return None
    names = list(dict.fromkeys(each.name for look in looks for each in look.conditions))

    def draw(width: float) -> Figure:
        columns = min(len(names), 4 if width > _NARROW else 2)
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

    return _chart(
        "looks",
        "Bounds at each look",
        "The bar holds the true value at the look's confidence, the mark is the measured one, both "
        "divided by the limit. A bar wholly below 1 keeps the limit; wholly above 1 fails. Looks "
        "before the end may only fail.",
        _describe_looks(looks[-1]),
        draw,
    )


def errors_chart(picture: Picture) -> Chart | None:
    """Failed requests over time by kind. None when nothing failed."""
    errors = sum((arm.errors for arm in picture.arms.values()), np.zeros((1, 1), np.int64))
    totals = errors.sum(axis=0)
    if not totals.any():
        return None
    kinds = [int(kind) for kind in np.argsort(-totals, kind="stable") if totals[kind]]
    shown, rest = kinds[: len(_KIND_COLOURS) - 1], kinds[len(_KIND_COLOURS) - 1 :]
    rows = [(ErrorKind(kind).label, errors[:, kind]) for kind in shown]
    if rest:
        rows.append(("other kinds", errors[:, rest].sum(axis=1)))

    def draw(width: float) -> Figure:
        figure = figure_of(width, 220)
        axes = figure.subplots()
        divisor, _ = time_unit(picture.edges[-1])
        edges = picture.edges / divisor
        bottom = np.zeros(edges.size - 1)
        for (label, counts), colour in zip(rows, _KIND_COLOURS, strict=False):
            axes.bar(
                edges[:-1],
                counts,
                width=np.diff(edges),
                bottom=bottom,
                align="edge",
                color=COLOURS[colour],
                label=label,
                linewidth=0,
            )
            bottom += counts
        _warm_up(axes, picture)
        axes.set_ylabel("failed requests")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(visible=False, axis="x")
        _legend(figure, axes, width)
        _label_time(axes, picture)
        return figure

    words = ", ".join(f"{int(counts.sum())} {label}" for label, counts in rows)
    return _chart(
        "errors",
        "Failed requests over time",
        f"Counts per {plain(picture.bin_seconds)} s by when the request was due, warm-up included.",
        f"Stacked bars over time. In all: {words}.",
        draw,
    )


def lag_chart(picture: Picture, verdict: Verdict) -> Chart:
    """How late the generator started its requests."""
    limit = verdict.generator.lag_limit_milliseconds
    total = next(iter(picture.arms.values()))
    for arm in list(picture.arms.values())[1:]:
        total = _both(total, arm)

    def draw(width: float) -> Figure:
        figure = figure_of(width, 220)
        axes = figure.subplots()
        axes.set_yscale("log")
        lines = []
        for share, label, style in ((0.5, "p50", "-"), (0.99, "p99", "--"), (1.0, "largest", ":")):
            milliseconds = total.lag_over_time(share) * 1000
            lines.append(milliseconds)
            _over_time(axes, picture, milliseconds, COLOURS["candidate"], style, label)
        axes.axhline(limit, color=COLOURS["limit"], linewidth=1.4)
        _name_line(axes, limit, f"limit for p99 {plain(limit)} ms")
        _warm_up(axes, picture)
        low, high = finite_range([*lines, np.array([limit])], 0.01, 100.0)
        axes.set_ylim(low / 1.5, high * 1.8)
        use_milliseconds(axes.yaxis, low, high)
        axes.set_ylabel("lag, ms")
        axes.grid(visible=False, axis="x")
        _legend(figure, axes, width)
        _label_time(axes, picture)
        return figure

    measured = verdict.generator.lag_p99_milliseconds
    words = "unknown" if measured is None else f"{plain(measured)} ms"
    return _chart(
        "lag",
        "Lag of the generator",
        "How long after its due time a request was really sent. A late generator offers another "
        "load than it says.",
        f"Three lines over time: median, 99th percentile and largest lag. The p99 of the whole "
        f"run is {words}, its limit {plain(limit)} ms.",
        draw,
    )


def _density(axes: Axes, picture: Picture, arm: int, low: float, high: float) -> None:
    """Where requests lie, as an image: the more per bin, the less transparent."""
    milliseconds = LATENCY_EDGES * 1000
    inside = slice(
        max(int(np.searchsorted(milliseconds, low)) - 1, 0),
        int(np.searchsorted(milliseconds, high)) + 1,
    )
    counts = picture.arms[arm].latency[:, inside]
    coarse = max(1, counts.shape[1] // 120)
    edges = milliseconds[inside.start : inside.stop + 1][::coarse]
    usable = (edges.size - 1) * coarse
    counts = counts[:, :usable].reshape(counts.shape[0], -1, coarse).sum(axis=2)
    highest = counts.max(initial=0)
    if not highest:
        return
    colour = np.empty((*counts.T.shape, 4))
    colour[..., :3] = to_rgb(_DENSITY_COLOUR.get(arm, COLOURS["muted"]))
    colour[..., 3] = np.where(counts.T, 0.15 + 0.6 * (counts.T / highest) ** 0.5, 0)
    divisor, _ = time_unit(picture.edges[-1])
    axes.pcolormesh(picture.edges / divisor, edges, colour, rasterized=True, zorder=1)


def _quantile_lines(
    axes: Axes, picture: Picture, counts: ArmPicture, quantiles: Sequence[str], colour: str
) -> None:
    for style, quantile in zip(_LINES, quantiles, strict=False):
        milliseconds = counts.latency_over_time(quantile_share(quantile)) * 1000
        _over_time(axes, picture, milliseconds, COLOURS[colour], style, quantile)


def _over_time(
    axes: Axes, picture: Picture, values: FloatArray, colour: str, style: str, label: str
) -> None:
    divisor, _ = time_unit(picture.edges[-1])
    shown = np.where(np.isfinite(values), values, np.nan)
    # A step ends at its bin's own end, so the last bin is drawn whole.
    axes.plot(
        picture.edges / divisor,
        np.append(shown, shown[-1:]),
        drawstyle="steps-post",
        color=colour,
        linestyle=style,
        label=label,
    )


def _slo_lines(axes: Axes, slos: dict[str, float]) -> None:
    by_limit: dict[float, list[str]] = {}
    for quantile, milliseconds in slos.items():
        by_limit.setdefault(milliseconds, []).append(quantile)
    for position, (milliseconds, quantiles) in enumerate(sorted(by_limit.items())):
        axes.axhline(milliseconds, color=COLOURS["limit"], linewidth=1.4)
        # Neighbouring lines are named at opposite ends, so that the names keep apart.
        label = f"{', '.join(quantiles)} SLO {plain(milliseconds)} ms"
        _name_line(axes, milliseconds, label, at_left=position % 2 == 1)


def _name_line(axes: Axes, height: float, text: str, *, at_left: bool = False) -> None:
    axes.annotate(
        text,
        (0 if at_left else 1, height),
        xycoords=("axes fraction", "data"),
        xytext=(3 if at_left else -3, 0),
        textcoords="offset points",
        ha="left" if at_left else "right",
        va="center",
        color=COLOURS["limit"],
        bbox={"facecolor": COLOURS["page"], "edgecolor": "none", "pad": 1.5, "alpha": 0.9},
    )


def _warm_up(axes: Axes, picture: Picture) -> None:
    divisor, _ = time_unit(picture.edges[-1])
    if picture.warm_up_seconds > 0:
        axes.axvspan(
            0,
            min(picture.warm_up_seconds, picture.edges[-1]) / divisor,
            color=COLOURS["grid"],
            alpha=0.5,
            linewidth=0,
            label="warm-up, not judged",
        )
    axes.set_xlim(0, picture.edges[-1] / divisor)


def _bounds(axes: Axes, looks: Sequence[LookVerdict], name: str, divisor: float) -> None:
    found = [
        (look.seconds, each) for look in looks for each in look.conditions if each.name == name
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


def _legend(figure: Figure, axes: Axes, width: float) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside upper left",
        ncols=4 if width > _NARROW else 2,
        columnspacing=1.2,
        handlelength=1.8,
    )


def _label_time(axes: Axes, picture: Picture) -> None:
    axes.set_xlabel(f"time since the first request, {time_unit(picture.edges[-1])[1]}")


def _latency_limits(picture: Picture, slos: dict[str, float]) -> tuple[float, float]:
    totals = sum(arm.latency.sum(axis=0) for arm in picture.arms.values())
    seen = LATENCY_EDGES[1:][np.asarray(totals) > 0] * 1000
    low, high = finite_range([seen, np.array(list(slos.values()))], 1.0, 1000.0)
    return low / 1.3, high * 1.6


def _both(one: ArmPicture, other: ArmPicture) -> ArmPicture:
    """Lag of both arms together; the generator is one."""
    return ArmPicture(one.planned + other.planned, one.latency, one.lag + other.lag, one.errors)


def _describe_latency(verdict: Verdict, picture: Picture) -> str:
    parts = []
    for part in verdict.quantiles:
        measured = (
            "not reached because too many requests failed"
            if part.estimate_milliseconds is None
            else f"{plain(part.estimate_milliseconds)} ms"
        )
        parts.append(
            f"{part.quantile} of the run {measured}, SLO {plain(part.slo_milliseconds)} ms"
        )
    arms = "candidate and baseline" if len(picture.arms) > 1 else "candidate"
    return f"Quantiles of latency over time for {arms}. {'; '.join(parts)}."


def _describe_distribution(verdict: Verdict) -> str:
    parts = [
        f"{part.over_slo} of {part.requests} requests were over the {part.quantile} SLO of "
        f"{plain(part.slo_milliseconds)} ms"
        for part in verdict.quantiles
    ]
    return f"Cumulative distribution of latency. {'; '.join(parts)}."


def _describe_looks(last: LookVerdict) -> str:
    parts = []
    for each in last.conditions:
        upper = "unknown" if each.upper is None else plain(each.upper / each.limit)
        lower = plain((each.lower or 0.0) / each.limit)
        parts.append(f"{each.name} between {lower} and {upper} of its limit, {each.outcome}")
    return f"Bounds divided by limits. At {plain(last.seconds)} s: {'; '.join(parts)}."
