"""Points on one stack or several, each written down as soon as it is known."""

import json
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.figure import Measurement, spread
from tests.benchmarks.kill_matrix.line import Line
from tests.benchmarks.kill_matrix.points import Point, PointResult
from tests.benchmarks.stacks import RESULTS, say

MakeLine = Callable[[], AbstractContextManager[Line]]
"""A new stack; a point that went wrong leaves its own to nobody else."""


def new_results(name: str) -> Path:
    """A file below `.tidegate/benchmarks` for one run's results, one JSON line a point."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    return RESULTS / f"{name}-{datetime.now(UTC).strftime('%Y%m%dT%H%M%SZ')}.jsonl"


def run_points(
    points: Sequence[Point],
    make_line: MakeLine,
    path: Path,
    *,
    lines: int = 1,
    seconds: float | None = None,
) -> list[PointResult]:
    """Append each result to the file, and return those that it holds of these points.

    What has converged there already is not run again, so that an interrupted run can be taken up.
    `lines` stacks go through the points at once; no further point is begun after `seconds`.
    """
    say(f"details: {path}")
    known = read_results(path)
    left = [each for each in points if each.key not in known or known[each.key].problems]
    todo = _Todo(left, seconds)
    with path.open("a", encoding="utf-8", buffering=1) as stream:

        def note(result: PointResult) -> None:
            stream.write(json.dumps(asdict(result)) + "\n")
            known[result.key] = result

        with ThreadPoolExecutor(lines) as threads:
            running = [
                threads.submit(_run, todo, make_line, path.with_suffix(""), note)
                for _ in range(lines)
            ]
            try:
                for each in as_completed(running):
                    each.result()
            finally:
                todo.end()
    return [known[each.key] for each in points if each.key in known]


def read_results(path: Path) -> dict[tuple[str, str, str, str], PointResult]:
    """The last result of each point, none without the file."""
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    results = [PointResult(**json.loads(line)) for line in lines]
    return {each.key: each for each in results}


def measurement(
    points: Sequence[Point], results: Sequence[PointResult], reference: str
) -> Measurement:
    """How many of the points have converged; the details say what it took."""
    converged = sum(not each.problems for each in results)
    failed_requests: Counter[str] = Counter()
    for each in results:
        failed_requests[each.victim] += each.failed_requests
    recovery = [each.recovery_seconds for each in results]
    return Measurement(
        value=converged,
        unit=f"of {len(points)} points converged",
        goal=str(len(points)),
        met=converged == len(points),
        reference=reference,
        runs=[converged],
        detail={
            "cancels": sum(each.cancels for each in results),
            "undecidedGates": sum(each.undecided for each in results),
            "retries": sum(each.retries for each in results),
            "requests": sum(each.requests for each in results),
            "failedRequestsByVictim": dict(failed_requests),
            "recoverySeconds": spread(recovery) if recovery else {},
        },
    )


class _Todo:
    """Points that nobody has begun, for several threads."""

    def __init__(self, points: Sequence[Point], seconds: float | None) -> None:
        self._points = deque(enumerate(points, 1))
        self._deadline = time.monotonic() + seconds if seconds is not None else math.inf

    def end(self) -> None:
        """Let nobody begin another one."""
        self._points.clear()

    def __iter__(self) -> Iterator[tuple[int, Point]]:
        while time.monotonic() < self._deadline:
            try:
                yield self._points.popleft()
            except IndexError:
                return


def _run(todo: _Todo, make_line: MakeLine, kept: Path, note: Callable[[PointResult], None]) -> None:
    """What tells why a point went wrong is left below `kept`."""
    with ExitStack() as stack:
        line: Line | None = None
        for number, point in todo:
            line = line or stack.enter_context(make_line())
            say(f"{number}. {point.name}")
            result = line.run(point)
            say(f"{number}. {_words(result)}")
            note(result)
            if result.problems:
                line.keep(kept / datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ"))
                stack.close()
                line = None


def _words(result: PointResult) -> str:
    if result.problems:
        return "PROBLEM: " + "\n   ".join(result.problems)
    extra = "".join(
        f", {count} {word}"
        for word, count in (
            ("cancels", result.cancels),
            ("undecided gates", result.undecided),
            ("retries", result.retries),
        )
        if count
    )
    return (
        f"converged in {result.recovery_seconds} s, {result.failed_requests} of "
        f"{result.requests} requests failed{extra}"
    )
