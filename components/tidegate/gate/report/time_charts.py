"""Figures over the time of the run: latency, failed requests, lag."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tidegate.gate.numbers_in_words import plain
from tidegate.gate.profile import quantile_share
from tidegate.gate.report.chart import ARM_NAMES, LINE_STYLES, Chart, add_legend, draw_chart
from tidegate.gate.report.picture import LATENCY_EDGES, ArmPicture, Picture
from tidegate.gate.report.scales import finite_range, time_unit, use_milliseconds
from tidegate.gate.report.svg import COLOURS, figure_of
from tidegate.gate.report.time_axes import (
    draw_over_time,
    label_time,
    name_line,
    shade_warm_up,
)
from tidegate.gate.samples import BASELINE_ARM, CANDIDATE_ARM, ErrorKind
from tidegate.gate.verdict import Verdict

_DENSITY_COLOUR = {CANDIDATE_ARM: "#5c93d6", BASELINE_ARM: "#d39255"}
"""Images keep their colours in light and dark, so they are middling."""
_KIND_COLOURS = ("limit", "other1", "unknown", "other2", "other3", "muted")


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
            _quantile_lines(axes, picture, counts, drawn, ARM_NAMES.get(arm, "muted"))
            _slo_lines(axes, slos)
            shade_warm_up(axes, picture)
            axes.set_ylim(low, high)
            axes.set_ylabel("latency, ms")
            use_milliseconds(axes.yaxis, low, high)
            if len(picture.arms) > 1:
                axes.set_title(ARM_NAMES.get(arm, f"arm {arm}"))
            axes.grid(visible=False, axis="x")
        add_legend(figure, panels[0], width)
        label_time(panels[-1], picture)
        return figure

    return draw_chart(
        "latency",
        "Latency over time",
        "Latency counts from the moment a request was due. The shade is where requests lie; a "
        "line breaks off where the quantile falls on a failed request.",
        _describe_latency(verdict, picture),
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
        shade_warm_up(axes, picture)
        axes.set_ylabel("failed requests")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(visible=False, axis="x")
        add_legend(figure, axes, width)
        label_time(axes, picture)
        return figure

    words = ", ".join(f"{int(counts.sum())} {label}" for label, counts in rows)
    return draw_chart(
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
            draw_over_time(axes, picture, milliseconds, COLOURS["candidate"], style, label)
        axes.axhline(limit, color=COLOURS["limit"], linewidth=1.4)
        name_line(axes, limit, f"limit for p99 {plain(limit)} ms")
        shade_warm_up(axes, picture)
        low, high = finite_range([*lines, np.array([limit])], 0.01, 100.0)
        axes.set_ylim(low / 1.5, high * 1.8)
        use_milliseconds(axes.yaxis, low, high)
        axes.set_ylabel("lag, ms")
        axes.grid(visible=False, axis="x")
        add_legend(figure, axes, width)
        label_time(axes, picture)
        return figure

    measured = verdict.generator.lag_p99_milliseconds
    words = "unknown" if measured is None else f"{plain(measured)} ms"
    return draw_chart(
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
    for style, quantile in zip(LINE_STYLES, quantiles, strict=False):
        milliseconds = counts.latency_over_time(quantile_share(quantile)) * 1000
        draw_over_time(axes, picture, milliseconds, COLOURS[colour], style, quantile)


def _slo_lines(axes: Axes, slos: dict[str, float]) -> None:
    by_limit: dict[float, list[str]] = {}
    for quantile, milliseconds in slos.items():
        by_limit.setdefault(milliseconds, []).append(quantile)
    for position, (milliseconds, quantiles) in enumerate(sorted(by_limit.items())):
        axes.axhline(milliseconds, color=COLOURS["limit"], linewidth=1.4)
        # Neighbouring lines are named at opposite ends, so that the names keep apart.
        label = f"{', '.join(quantiles)} SLO {plain(milliseconds)} ms"
        name_line(axes, milliseconds, label, at_left=position % 2 == 1)


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
