"""A gate in the terminal: what it does while it runs, and its verdict."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from pydantic import ValidationError
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tidegate.gate.numbers_in_words import count
from tidegate.gate.summary import bounds_words, headline, rows_of
from tidegate.gate.verdict import ConditionBounds, Outcome, Verdict

_STYLES = {
    Outcome.PASS: "bold green",
    Outcome.FAIL: "bold red",
    Outcome.INCONCLUSIVE: "bold yellow",
    Outcome.INVALID: "bold yellow",
}
_STANDINGS = {
    Outcome.PASS: "would hold",
    Outcome.FAIL: "broken",
    Outcome.INCONCLUSIVE: "open",
    Outcome.INVALID: "open",
}
_PHASES = {"golden": "golden answers", "warmUp": "warm-up", "load": "load", "drain": "drain"}


class LiveView:
    """Shows a journal's events: in a terminal a picture that changes, in a log one line each."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, transient=True) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, event: Mapping[str, Any]) -> None:
        """Take the next event. The verdict is left to `print_verdict`."""
        if event["event"] == "progress" and self._live is not None:
            self._live.update(progress_view(event), refresh=True)
        elif event["event"] != "verdict":
            self._console.print(str(event["message"]), markup=False, highlight=False)


def progress_view(event: Mapping[str, Any]) -> RenderableType:
    """A progress event: a bar, the counts, and the bounds so far."""
    left, total = float(event.get("secondsLeft") or 0), float(event.get("totalSeconds") or 0)
    phase = str(event.get("phase", ""))
    head = Table.grid(padding=(0, 2))
    cells: list[RenderableType] = [Text(_PHASES.get(phase, phase), style="bold")]
    if total > 0:
        cells += [ProgressBar(total, total - left, width=30), Text(f"{left:.0f} s left")]
    head.add_row(*cells)
    sent, errors = int(event.get("sent") or 0), int(event.get("errors") or 0)
    counts = Text(f"{count(sent)} sent, {count(int(event.get('done') or 0))} done, ")
    counts.append(f"{count(errors)} errors", style="red" if errors else "")
    if event.get("p95Milliseconds") is not None:
        counts.append(f", p95 {float(event['p95Milliseconds']):.1f} ms")
    parts: list[RenderableType] = [head, counts]
    bounds = _bounds_in(event)
    if bounds:
        table = Table.grid(padding=(0, 2))
        for each in bounds:
            state = Text(_STANDINGS[each.outcome], style=_STYLES[each.outcome])
            table.add_row(Text(bounds_words(each)), state)
        parts += [Text("so far:", style="dim"), table]
    return Group(*parts)


def print_verdict(console: Console, verdict: Verdict) -> None:
    """The verdict in words, its table when there is room, and where to read more."""
    console.print(
        Text.assemble((verdict.outcome.value, _STYLES[verdict.outcome]), f": {headline(verdict)}"),
        soft_wrap=True,
    )
    for reason in verdict.reasons:
        _print_line(console, f"  {reason}")
    for mend in verdict.mend:
        _print_line(console, f"  to do: {mend}")
    rows = rows_of(verdict)
    if rows and console.is_terminal:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for title in ("condition", "measured", "bounds", "limit", ""):
            table.add_column(title)
        for row in rows:
            table.add_row(
                Text(row.condition),
                Text(row.measured),
                Text(row.interval),
                Text(row.limit),
                Text(row.outcome.value, style=_STYLES[row.outcome]),
            )
        console.print()
        console.print(table)
    if verdict.report_path is not None:
        _print_line(console, f"  report: {verdict.report_path}")
    if verdict.report_problem is not None:
        _print_line(console, f"  no report: {verdict.report_problem}")
    if verdict.samples_path is not None:
        _print_line(console, f"  samples: {verdict.samples_path}")
    if verdict.samples_problem is not None:
        _print_line(console, f"  samples are not kept: {verdict.samples_problem}")
    if verdict.evidence_path is not None:
        _print_line(console, f"  evidence: {verdict.evidence_path}")


def _print_line(console: Console, text: str) -> None:
    """As it is: a path or a server's words are no markup and are not cut."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _bounds_in(event: Mapping[str, Any]) -> list[ConditionBounds]:
    """The bounds that can be read; a journal of another version shows fewer."""
    found = []
    for each in event.get("bounds") or ():
        try:
            found.append(ConditionBounds.model_validate(each))
        except ValidationError:
            continue
    return found
