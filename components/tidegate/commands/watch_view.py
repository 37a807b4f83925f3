"""How `tidegate watch` shows a look: a picture, a line, or JSON."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic.alias_generators import to_camel
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tidegate.commands.times import local_clock
from tidegate.traffic.outcome import StageOutcome
from tidegate.traffic.service_watch import WINDOW_SECONDS, RevisionView, ServiceView
from tidegate.traffic.switch_documents import Ending, Override, StageProgress, SwitchProgress
from tidegate.traffic.switch_words import condition_in_words
from tidegate.traffic.user_window import UserWindow

STANDINGS: Mapping[str, tuple[str, str]] = {
    StageOutcome.ADVANCE: ("shown good", "green"),
    StageOutcome.TURN_BACK: ("shown worse", "bold red"),
    StageOutcome.UNDECIDED: ("open", "yellow"),
}
ENDED = frozenset(each.value for each in Ending)
NOTHING = "\N{EN DASH}"


def picture(view: ServiceView) -> RenderableType:
    """The look for a terminal, replaced once a second."""
    head = Text(f"{view.service}  {local_clock(view.at)}", style="bold")
    parts: list[RenderableType] = [head]
    if view.problem is not None:
        parts.append(Text(view.problem, style="bold red"))
    if view.revisions:
        parts.append(_table(view))
    if view.progress is not None:
        parts += _switch(view.progress)
    if view.override is not None:
        parts.append(Text(override_in_words(view.override), style="yellow"))
    return Group(*parts)


def line(view: ServiceView) -> str:
    """The look on one line, for a log."""
    parts = [local_clock(view.at)]
    if view.problem is not None:
        parts.append(view.problem)
    parts += [_revision_in_words(each) for each in view.revisions]
    if view.progress is not None:
        parts.append(view.progress.message)
    return " | ".join(parts)


def document(view: ServiceView) -> dict[str, Any]:
    """The look as JSON data: durations in the unit of their key, unknown numbers null."""
    return {
        "at": view.at,
        "service": view.service,
        "problem": view.problem,
        "revisions": [
            {
                "revision": each.revision,
                "weight": each.weight,
                "healthy": each.healthy,
                "window": None if each.window is None else _window_document(each.window),
            }
            for each in view.revisions
        ],
        "switch": _dumped(view.progress),
        "outcome": _dumped(view.outcome),
        "override": _dumped(view.override),
    }


def override_in_words(override: Override) -> str:
    """Why the stack file does not say what runs."""
    return (
        f"{override.by} moved the traffic to {override.revision} at {local_clock(override.at)} "
        "with `tidegate rollback --now`; the stack does not know it before `pulumi up`"
    )


def _table(view: ServiceView) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("revision")
    table.add_column("health")
    titles = ("traffic", "req/s", "errors", "p50 ms", "p95 ms", "p99 ms")
    for title in titles:
        table.add_column(title, justify="right")
    for each in view.revisions:
        window = each.window
        errors = _errors(window)
        table.add_row(
            Text(each.revision),
            Text("healthy", style="green") if each.healthy else Text("unhealthy", style="bold red"),
            f"{each.weight}%",
            NOTHING if window is None else f"{window.requests_per_second:.0f}",
            Text(errors, style="bold red" if window is not None and window.errors else ""),
            *(_number(value) for value in _quantiles(window)),
        )
    if any(each.window is not None for each in view.revisions):
        table.caption = f"users' requests of the last {_seconds(view):.0f} s"
        table.caption_justify = "left"
    return table


def _switch(progress: SwitchProgress) -> list[RenderableType]:
    parts: list[RenderableType] = [
        Text(f"switch, run {progress.run}: {progress.from_revision} → {progress.to_revision}")
    ]
    stage, judgement = progress.stage, progress.judgement
    watching = stage is not None and progress.state == "running" and stage.kind != "final"
    if stage is not None and watching:
        parts.append(_stage(stage, progress.to_revision))
    if judgement is not None:
        grid = Table.grid(padding=(0, 2))
        for each in judgement.conditions:
            words, style = STANDINGS.get(each.outcome, (each.outcome, ""))
            grid.add_row(Text(condition_in_words(each)), Text(words, style=style))
        counts = (
            f"{judgement.candidate_requests} requests met the new one, "
            f"{judgement.candidate_errors} failed; the former had {judgement.reference_requests}, "
            f"{judgement.reference_errors} failed"
        )
        parts += [Text(counts), grid]
    if judgement is None or not watching:
        parts.append(Text(progress.message, style="bold" if progress.state in ENDED else "dim"))
    return parts


def _stage(stage: StageProgress, candidate: str) -> Table:
    """Which step it is, how much of its time is over, and how long it can still take."""
    what = "bake" if stage.kind == "bake" else f"{stage.weights.get(candidate, 0)}%"
    least, limit = stage.minimum_seconds, stage.limit_seconds
    if stage.seconds_in < least:
        left = f"{least - stage.seconds_in:.0f} s left"
    else:
        left = f"not shown yet; turns back in {max(0.0, limit - stage.seconds_in):.0f} s"
    grid = Table.grid(padding=(0, 2))
    grid.add_row(
        Text(f"step {stage.index} of {stage.of}: {what}", style="bold"),
        ProgressBar(max(least, 1e-9), min(stage.seconds_in, least), width=30),
        Text(left),
    )
    return grid


def _revision_in_words(each: RevisionView) -> str:
    window = each.window
    health = "" if each.healthy else ", UNHEALTHY"
    if window is None:
        return f"{each.revision} {each.weight}%{health}"
    p50, p95, p99 = (_number(value) for value in _quantiles(window))
    return (
        f"{each.revision} {each.weight}%: {window.requests_per_second:.0f}/s, "
        f"{_errors(window)} errors, p50/p95/p99 {p50}/{p95}/{p99} ms{health}"
    )


def _quantiles(window: UserWindow | None) -> tuple[float | None, float | None, float | None]:
    if window is None:
        return None, None, None
    return window.p50_milliseconds, window.p95_milliseconds, window.p99_milliseconds


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.1f}"


def _errors(window: UserWindow | None) -> str:
    if window is None or window.error_share is None:
        return NOTHING
    return f"{window.errors} ({window.error_share:.1%})" if window.errors else "0"


def _seconds(view: ServiceView) -> float:
    windows = [each.window.seconds for each in view.revisions if each.window is not None]
    return max(windows, default=WINDOW_SECONDS)


def _window_document(window: UserWindow) -> dict[str, Any]:
    return {
        **{to_camel(key): value for key, value in asdict(window).items()},
        "requestsPerSecond": window.requests_per_second,
        "errorShare": window.error_share,
    }


def _dumped(model: Any) -> Any:
    return None if model is None else model.model_dump(mode="json", by_alias=True)
