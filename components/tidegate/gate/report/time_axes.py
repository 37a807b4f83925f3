"""What figures over the time of a run have in common."""

import numpy as np
from matplotlib.axes import Axes

from tidegate.gate.report.picture import Picture
from tidegate.gate.report.scales import time_unit
from tidegate.gate.report.svg import COLOURS
from tidegate.gate.samples import FloatArray


def draw_over_time(
    axes: Axes, picture: Picture, values: FloatArray, colour: str, style: str, label: str
) -> None:
    """A line of steps, one per bin of time; it breaks off where a value is not finite."""
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


def name_line(axes: Axes, height: float, text: str, *, at_left: bool = False) -> None:
    """Words on a horizontal line, at one of its ends."""
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


def shade_warm_up(axes: Axes, picture: Picture) -> None:
    """Shade what is not judged, and end the axis with the run."""
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


def label_time(axes: Axes, picture: Picture) -> None:
    """Name the axis of time with its unit."""
    axes.set_xlabel(f"time since the first request, {time_unit(picture.edges[-1])[1]}")
