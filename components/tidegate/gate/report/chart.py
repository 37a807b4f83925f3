"""What all figures share: two widths, a legend above, and words for who cannot see them."""

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tidegate.gate.report.svg import drawing_style, inline_svg
from tidegate.gate.samples import BASELINE_ARM, CANDIDATE_ARM

WIDE, NARROW = 720, 350
LINE_STYLES = ("-", "--", ":", "-.")
ARM_NAMES = {CANDIDATE_ARM: "candidate", BASELINE_ARM: "baseline"}
"""Also the names of their colours."""


@dataclass(frozen=True)
class Chart:
    """One figure in both widths, with what it shows in words."""

    name: str
    title: str
    caption: str
    wide: str
    narrow: str


def draw_chart(
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

    return Chart(name, title, caption, svg("wide", WIDE), svg("narrow", NARROW))


def add_legend(figure: Figure, axes: Axes, width: float) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside upper left",
        ncols=4 if width > NARROW else 2,
        columnspacing=1.2,
        handlelength=1.8,
    )
