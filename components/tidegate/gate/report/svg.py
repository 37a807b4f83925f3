"""Matplotlib figures as SVG for a page: themed by the page's CSS, readable by screen readers."""

import io
import re
from contextlib import AbstractContextManager
from xml.etree import ElementTree as ET

from matplotlib import rc_context
from matplotlib.figure import Figure

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_DOTS_PER_UNIT = 2
"""Of the images inside a figure, for screens with small pixels."""

COLOURS = {
    "ink": "#101112",
    "muted": "#515253",
    "grid": "#d1d2d3",
    "page": "#fefdfc",
    "candidate": "#1061c2",
    "baseline": "#b45f10",
    "limit": "#c21020",
    "good": "#107a30",
    "unknown": "#8a6d10",
    "other1": "#7a3fa1",
    "other2": "#0f7c80",
    "other3": "#a12f6f",
}
"""Stand-ins for the page's custom properties: each appears nowhere else and becomes
`var(--name)`, so that one figure serves light, dark and print."""


def drawing_style(name: str) -> AbstractContextManager[None]:
    """Settings inside which the figure `name` is drawn and written.

    One point is one unit of the SVG, hence `figure.dpi`. Text stays text, in the page's own font.
    """
    return rc_context(
        {
            "axes.axisbelow": True,
            "axes.edgecolor": COLOURS["muted"],
            "axes.facecolor": "none",
            "axes.grid": True,
            "axes.labelcolor": COLOURS["muted"],
            "axes.labelsize": 12,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 12,
            "figure.dpi": 72,
            "figure.facecolor": "none",
            "font.size": 12,
            "grid.color": COLOURS["grid"],
            "grid.linewidth": 0.8,
            "legend.fontsize": 12,
            "legend.frameon": False,
            "lines.linewidth": 1.6,
            "svg.fonttype": "none",
            "text.color": COLOURS["ink"],
            "xtick.color": COLOURS["muted"],
            "xtick.labelsize": 12,
            "ytick.color": COLOURS["muted"],
            "ytick.labelsize": 12,
            "svg.hashsalt": name,
        }
    )


def figure_of(width: float, height: float) -> Figure:
    """An empty figure of that many SVG units. Draw inside `drawing_style`."""
    return Figure(figsize=(width / 72, height / 72), layout="constrained")


def inline_svg(figure: Figure, name: str, title: str, description: str) -> str:
    """`<svg>` for an HTML page.

    Ids begin with `name`, which must differ between the figures of a page; `title` and
    `description` stand for the picture where it cannot be seen.
    """
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", dpi=72 * _DOTS_PER_UNIT, metadata={"Date": None})
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _XLINK)
    root = ET.fromstring(stream.getvalue())  # noqa: S314 - written just above
    for metadata in root.findall(f"{{{_SVG}}}metadata"):
        root.remove(metadata)
    _rename_ids(root, name)
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title {name}-description")
    for position, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ET.Element(f"{{{_SVG}}}{tag}")
        element.set("id", f"{name}-{'title' if tag == 'title' else 'description'}")
        element.text = text
        root.insert(position, element)
    return _themed(ET.tostring(root, encoding="unicode"))


def _rename_ids(root: ET.Element, name: str) -> None:
    """Give the ids that something refers to a prefix, and drop the others."""
    references = re.compile(r"url\(#([^)]+)\)")
    used: set[str] = set()
    for element in root.iter():
        for key, value in element.attrib.items():
            if key.endswith("href") and value.startswith("#"):
                used.add(value[1:])
                element.set(key, f"#{name}-{value[1:]}")
            elif "url(#" in value:
                used.update(references.findall(value))
                element.set(key, references.sub(rf"url(#{name}-\1)", value))
    for element in root.iter():
        identity = element.attrib.pop("id", None)
        if identity in used:
            element.set("id", f"{name}-{identity}")


def _themed(markup: str) -> str:
    for name, colour in COLOURS.items():
        markup = markup.replace(colour, f"var(--{name})")
    # The page's font, whatever the measuring one was called.
    return re.sub(r"font-family: [^;\"]*;? ?", "", markup)
