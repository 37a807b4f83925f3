"""The verdict as Markdown, short enough for a pull request."""

from tidegate.gate.summary import facts_of, headline, meaning, rows_of
from tidegate.gate.verdict import Outcome, Verdict

_MARKS = {
    Outcome.PASS: "✅",
    Outcome.FAIL: "❌",
    Outcome.INCONCLUSIVE: "⚠️",
    Outcome.INVALID: "⛔",
}
_COLUMNS = ("condition", "measured", "bounds", "limit", "requests", "design effect", "outcome")
_SPECIAL = str.maketrans(
    {character: f"\\{character}" for character in "\\`*_[]<>|~#"} | {"@": "&#64;"}
)


def markdown_summary(verdict: Verdict) -> str:
    """Headline, reasons, what to do, the table of conditions, and the facts folded away."""
    lines = [
        f"## {_MARKS[verdict.outcome]} {verdict.outcome}: {_text(headline(verdict))}",
        "",
        meaning(verdict.outcome),
        "",
        *(f"- {_text(reason)}" for reason in verdict.reasons),
    ]
    if verdict.mend:
        lines += ["", "**To do**", "", *(f"- {_text(mend)}" for mend in verdict.mend)]
    rows = rows_of(verdict)
    if rows:
        lines += ["", _line(_COLUMNS), _line(("---",) * len(_COLUMNS))]
        lines += [
            _line(
                (
                    _text(row.condition),
                    _text(row.measured),
                    _text(row.interval),
                    _text(row.limit),
                    row.requests,
                    row.design_effect,
                    f"{_MARKS[row.outcome]} {row.outcome}",
                )
            )
            for row in rows
        ]
    lines += ["", "<details><summary>Everything that was measured</summary>", ""]
    lines += [f"- {_text(label)}: {_text(value)}" for label, value in facts_of(verdict)]
    lines += ["", "</details>", ""]
    return "\n".join(lines)


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    """Words of a server must neither format the page, nor mention anybody, nor break a line."""
    return " ".join(text.split()).translate(_SPECIAL)
