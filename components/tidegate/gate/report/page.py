"""The page itself: the verdict in words, then figures, then every number."""

from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tidegate.gate.profile import Profile
from tidegate.gate.report.chart import Chart
from tidegate.gate.report.distribution_chart import distribution_chart
from tidegate.gate.report.looks_chart import looks_chart
from tidegate.gate.report.picture import Picture
from tidegate.gate.report.time_charts import errors_chart, lag_chart, latency_chart
from tidegate.gate.summary import facts_of, headline, meaning, rows_of, subject_of
from tidegate.gate.verdict import Verdict


@dataclass(frozen=True)
class _Figure:
    """A chart with its drawings marked as safe to insert: they are our own."""

    name: str
    title: str
    caption: str
    wide: Markup
    narrow: Markup


def page_of(verdict: Verdict, profile: Profile, picture: Picture | None) -> str:
    """One HTML page without scripts and without anything loaded from elsewhere.

    `picture` is None when no load was sent.
    """
    charts: list[Chart | None] = []
    if picture is not None:
        charts += [latency_chart(picture, verdict), distribution_chart(picture, verdict)]
    charts.append(looks_chart(verdict))
    if picture is not None:
        charts += [errors_chart(picture), lag_chart(picture, verdict)]
    return (
        _templates()
        .get_template("page.html")
        .render(
            verdict=verdict,
            profile=profile,
            subject=subject_of(verdict),
            headline=headline(verdict),
            meaning=meaning(verdict.outcome),
            rows=rows_of(verdict),
            facts=facts_of(verdict),
            error_kinds=sorted({**verdict.errors_by_kind, **verdict.baseline_errors_by_kind}),
            figures=[_figure(chart) for chart in charts if chart is not None],
        )
    )


def _figure(chart: Chart) -> _Figure:
    return _Figure(
        chart.name,
        chart.title,
        chart.caption,
        Markup(chart.wide),  # noqa: S704 - drawn here; its texts are escaped by the XML writer
        Markup(chart.narrow),  # noqa: S704
    )


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("tidegate.gate.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
