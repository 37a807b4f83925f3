"""All points, one after the other, each written down as soon as it is known."""

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.figure import Measurement, spread
from tests.benchmarks.kill_matrix.moments import Promotion, moments
from tests.benchmarks.kill_matrix.points import Line, Point, PointResult, Way
from tests.benchmarks.kill_matrix.switch_moments import switch_moments
from tests.benchmarks.kill_matrix.victims import (
    conductor,
    engine,
    envoy,
    new_triton,
    old_triton,
    provider,
    supervisor,
)
from tests.benchmarks.stacks import RESULTS, say, temporary_project


def all_points() -> list[Point]:
    """Of the two servers the one is killed that the way out of the accident needs."""
    both_ways = {
        Way.AGAIN: (engine(), provider(), new_triton(), envoy()),
        Way.REVERT: (engine(), provider(), old_triton(), envoy()),
    }
    points = [
        Point(victim, moment, way)
        for way, victims in both_ways.items()
        for victim in victims
        for moment in moments()
    ]
    way_of = {Promotion.SWAP: Way.AGAIN, Promotion.REPLACE: Way.REVERT}
    return points + [Point(supervisor(), each, way_of[each.promotion]) for each in moments()]


def switch_points() -> list[Point]:
    """Every victim at every stage of every strategy, with both ways out."""
    victims = (engine(), provider(), conductor(), envoy(), old_triton(), new_triton())
    return [
        Point(victim, moment, way)
        for victim in victims
        for moment in switch_moments()
        for way in Way
    ]


def measure_kill_matrix() -> Measurement:
    """How many points end in the declared state, with users served and nothing left over."""
    return _measure(all_points(), "kill -9 during a promotion, then `up` again or revert and `up`")


def measure_switch_kill_matrix() -> Measurement:
    """The same while a switch goes through its stages."""
    return _measure(
        switch_points(), "kill -9 during a canary or a bake, then `up` again or revert and `up`"
    )


def _measure(points: Sequence[Point], reference: str) -> Measurement:
    results = run_points(points)
    converged = sum(not each.problems for each in results)
    failed_requests: Counter[str] = Counter()
    for each in results:
        failed_requests[each.victim] += each.failed_requests
    return Measurement(
        value=converged,
        unit=f"of {len(results)} points converged",
        goal=str(len(results)),
        met=converged == len(results),
        reference=reference,
        runs=[converged],
        detail={
            "cancels": sum(each.cancels for each in results),
            "undecidedGates": sum(each.undecided for each in results),
            "retries": sum(each.retries for each in results),
            "requests": sum(each.requests for each in results),
            "failedRequestsByVictim": dict(failed_requests),
            "recoverySeconds": spread([each.recovery_seconds for each in results]),
        },
    )


def run_points(points: Sequence[Point]) -> list[PointResult]:
    """Results are appended to a file below `.tidegate/benchmarks`, one JSON line a point."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    began = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    path = RESULTS / f"kill-matrix-{began}.jsonl"
    say(f"details: {path}")
    results = []
    with path.open("a", encoding="utf-8", buffering=1) as stream:
        for result in _run(points, path.with_suffix("")):
            stream.write(json.dumps(asdict(result)) + "\n")
            results.append(result)
    return results


def _run(points: Iterable[Point], kept: Path) -> Iterator[PointResult]:
    """A point that went wrong leaves its folder below `kept` and its stack to nobody else."""
    with ExitStack() as stack:
        line: Line | None = None
        for number, point in enumerate(points, 1):
            line = line or Line(stack.enter_context(temporary_project()))
            say(f"{number}. {point.name}")
            result = line.run(point)
            say(f"   {_words(result)}")
            if result.problems:
                _keep(line, kept / f"{number:03d}")
                stack.close()
                line = None
            yield result


def _keep(line: Line, folder: Path) -> None:
    """Logs and state of a stack that went wrong, without what is large."""
    large = shutil.ignore_patterns("repository", "*.sock", "*.npz")
    for source in (line.project.root / "logs", line.project.state_folder):
        shutil.copytree(source, folder / source.name, ignore=large, symlinks=True)


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
