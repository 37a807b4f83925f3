"""The verdict in a terminal and in a pull request."""

import io

import pytest
from rich.console import Console

from tests.unit.gate.report_examples import HOSTILE, example_verdict
from tidegate.gate.markdown import markdown_summary
from tidegate.gate.numbers_in_words import percent, plain
from tidegate.gate.summary import rows_of
from tidegate.gate.terminal import LiveView, print_verdict
from tidegate.gate.verdict import ConditionBounds, Outcome

pytestmark = pytest.mark.unit

BOUND = ConditionBounds(
    name="p95",
    kind="slo",
    estimate=0.01,
    lower=0.0,
    upper=0.021,
    limit=0.05,
    outcome=Outcome.INCONCLUSIVE,
)
PROGRESS = {
    "event": "progress",
    "message": "load, 30 s left, 1800 sent, 2 errors",
    "phase": "load",
    "secondsLeft": 30.0,
    "totalSeconds": 48.0,
    "sent": 1800,
    "done": 1799,
    "errors": 2,
    "p95Milliseconds": 7.25,
    "bounds": [BOUND.model_dump(mode="json", by_alias=True)],
}


def terminal(*, live: bool) -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, force_terminal=live, width=100, color_system=None), stream


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"),
        (0.00123, "0.00123"),
        (12.34, "12.3"),
        (4800, "4800"),
        (999.9, "1000"),
        (1.1, "1.1"),
    ],
)
def test_numbers_have_three_digits_and_no_exponent(value: float, words: str) -> None:
    assert plain(value) == words


def test_a_share_never_rounds_up_to_all() -> None:
    assert percent(0.9999999) == "99.99999%"
    assert percent(1.0) == "100%"
    assert percent(0.0011) == "0.11%"


@pytest.mark.parametrize("outcome", list(Outcome))
def test_markdown_begins_with_what_follows(outcome: Outcome) -> None:
    lines = markdown_summary(example_verdict(outcome)).splitlines()
    assert outcome.value in lines[0]
    assert ("may take traffic" in lines[0]) is (outcome is Outcome.PASS)
    assert len([line for line in lines if line.startswith("| p99")]) == 1


def test_words_of_a_server_do_not_format_markdown() -> None:
    text = markdown_summary(example_verdict(first_errors={}, reasons=(f"first: {HOSTILE}\n# x",)))
    line = next(line for line in text.splitlines() if "first:" in line)
    assert line.count("<") == line.count("\\<") == 2
    assert "@everyone" not in line
    assert "\\| " in line
    assert line.endswith("\\# x")


def test_inconclusive_says_what_is_needed() -> None:
    assert "**To do**" in markdown_summary(example_verdict(Outcome.INCONCLUSIVE))


def test_rows_hold_every_condition() -> None:
    rows = {row.condition: row for row in rows_of(example_verdict())}
    assert list(rows) == [
        "p50 ≤ 50 ms",
        "p95 ≤ 100 ms",
        "p99 ≤ 250 ms",
        "error rate",
        "p50 against the baseline",
        "p95 against the baseline",
    ]
    assert rows["p99 ≤ 250 ms"].interval == "1.21% to 2.93% over it"
    assert rows["p50 against the baseline"].limit == "1.100"


def test_terminal_prints_paths_and_servers_words_as_they_are() -> None:
    console, stream = terminal(live=False)
    verdict = example_verdict(
        reasons=("p99 [red]412[/red] ms " + "x" * 200,), report_path="/r.html"
    )
    print_verdict(console, verdict)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "FAIL: digits-2-4f1c9a7e takes no traffic"
    assert lines[1] == "  p99 [red]412[/red] ms " + "x" * 200
    assert "  report: /r.html" in lines
    assert lines[-1].startswith("  evidence: /evidence/")


def test_terminal_shows_time_left_counts_and_bounds_while_it_runs() -> None:
    console, stream = terminal(live=True)
    with LiveView(console) as view:
        view.show({"event": "started", "message": "gate of digits-2"})
        view.show(PROGRESS)
    text = stream.getvalue()
    assert "30 s left" in text
    assert "2 errors, p95 7.2 ms" in text
    assert "p95 SLO 0% to 2.1%, limit 5%" in text
    assert "open" in text


def test_a_log_gets_one_line_per_event() -> None:
    console, stream = terminal(live=False)
    with LiveView(console) as view:
        view.show({"event": "queued", "message": "waiting: the gate of digits-1 is running"})
        view.show(PROGRESS)
        view.show({"event": "verdict", "message": "PASS"})
    assert stream.getvalue().splitlines() == [
        "waiting: the gate of digits-1 is running",
        "load, 30 s left, 1800 sent, 2 errors",
    ]


def test_progress_of_an_older_runner_is_shown_as_far_as_known() -> None:
    console, stream = terminal(live=True)
    with LiveView(console) as view:
        view.show({**PROGRESS, "bounds": [{"name": "p95"}], "totalSeconds": None})
    assert "1\u202f800 sent" in stream.getvalue()
