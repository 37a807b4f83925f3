"""The empirical distribution of latency, with the SLOs as marks."""

import numpy as np
from matplotlib.figure import Figure

from tidegate.gate.numbers_in_words import plain
from tidegate.gate.report.chart import ARM_NAMES, LINE_STYLES, Chart, add_legend, draw_chart
from tidegate.gate.report.picture import LATENCY_EDGES, Picture
from tidegate.gate.report.scales import finite_range, nines, use_milliseconds, use_nines
from tidegate.gate.report.svg import COLOURS, figure_of
from tidegate.gate.verdict import Verdict


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
                color=COLOURS[ARM_NAMES.get(arm, "muted")],
                linestyle=LINE_STYLES[arm % len(LINE_STYLES)],
                drawstyle="steps-post",
                label=ARM_NAMES.get(arm, f"arm {arm}"),
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
        add_legend(figure, axes, width)
        return figure

    return draw_chart(
        "distribution",
        "How many requests were answered within how long",
        "Empirical distribution of the judged requests; each nine has the same room. The curve "
        "must pass on the left of an SLO's mark; one that ends below the top shows the share that "
        "failed.",
        _describe_distribution(verdict),
        draw,
    )


def _describe_distribution(verdict: Verdict) -> str:
    parts = [
        f"{part.over_slo} of {part.requests} requests were over the {part.quantile} SLO of "
        f"{plain(part.slo_milliseconds)} ms"
        for part in verdict.quantiles
    ]
    return f"Cumulative distribution of latency. {'; '.join(parts)}."
