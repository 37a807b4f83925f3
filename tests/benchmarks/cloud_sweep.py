"""Every resource of the clusters' stacks fails, is interrupted or killed once; what becomes of it.

    python -m tests.benchmarks.cloud_sweep --folder FOLDER [--stacks …] [--ways …]

Against recorded clouds. What was done is kept in the folder, and a new start goes on from there;
Ctrl-C costs the run that is under way. Without anything left to do, the table alone.
"""

import argparse
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.cloud_sweep_chains import CHAINS, Progress, next_run, outcomes
from tests.benchmarks.cloud_sweep_moment import (
    Target,
    Undisturbed,
    set_to,
    sweep_project,
    undisturbed,
)
from tests.benchmarks.cloud_sweep_points import POINTS, Outcome, run_point
from tests.benchmarks.figure import Measurement
from tests.benchmarks.stacks import say, temporary_folder
from tests.cloud.harness.project import CloudProject
from tidegate.files import read_json, write_json

AWS, GCP = ("aws-staging", "aws-prod"), ("gcp-staging", "gcp-prod")
WAYS = (*CHAINS, *POINTS)
LOSING = ("killed", "answerLost")
"""The engine never hears of what was made, so it may be left over."""

SAMPLE, SEED = 10, 20261123


@dataclass(frozen=True)
class Summary:
    """Of one stack and one way. `refused` are imported before the next `up` goes on."""

    stack: str
    way: str
    points: int
    resumed: int
    orphans: int
    refused: Sequence[str]


class Sweep:
    """One stack's failures, kept in a folder."""

    def __init__(self, stack: str, folder: Path) -> None:
        self._stack, self._folder = stack, folder
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, ways: Sequence[str]) -> None:
        made = undisturbed(self._stack, self._folder / f"{self._stack}.json")
        with sweep_project(self._stack) as project:
            for way in ways:
                if way in CHAINS:
                    self._chain(project, made, way)
                else:
                    self._points(project, made, way)

    def outcomes(self) -> list[Outcome]:
        if not self._log.exists():
            return []
        return [Outcome.from_json(json.loads(each)) for each in self._log.read_text().splitlines()]

    def _points(self, project: CloudProject, made: Undisturbed, way: str) -> None:
        done = {each.target for each in self.outcomes() if each.way == way}
        sample = sample_of(made.targets)
        for number, target in enumerate(sample, 1):
            if target not in done:
                outcome = run_point(project, made, way, target)
                self._record([outcome])
                say(f"{number}/{len(sample)} {_line(outcome)}")

    def _chain(self, project: CloudProject, made: Undisturbed, way: str) -> None:
        if any(each.way == way for each in self.outcomes()):
            return
        targets = sample_of(made.targets) if way == "delayed" else made.targets
        kept = self._folder / f"{self._stack}-{way}.json"
        data = read_json(kept)
        progress = Progress(made.before(None)) if data is None else Progress.from_json(data)
        set_to(project, progress.moment)
        while not progress.ended:
            progress = next_run(project, way, targets, progress)
            write_json(kept, progress.to_json())
            say(f"{self._stack} {way}: {len(progress.met)}/{len(targets)} in {progress.runs} runs")
        self._record(list(outcomes(self._stack, way, made, progress)))

    def _record(self, found: Sequence[Outcome]) -> None:
        with self._log.open("a", encoding="utf-8") as stream:
            stream.write("".join(json.dumps(each.to_json()) + "\n" for each in found))

    @property
    def _log(self) -> Path:
        return self._folder / f"{self._stack}.jsonl"


def sample_of(targets: Sequence[Target]) -> list[Target]:
    """The same resources for every way, of as many types as there are places."""
    chosen = random.Random(SEED)  # noqa: S311  # a sample, no secret
    by_type: dict[str, list[Target]] = {}
    for each in sorted(targets):
        by_type.setdefault(each.type, []).append(each)
    types = chosen.sample(sorted(by_type), min(SAMPLE, len(by_type)))
    return [chosen.choice(by_type[each]) for each in types]


def summaries(found: Sequence[Outcome]) -> Iterator[Summary]:
    for stack, way in sorted(Counter((each.stack, each.way) for each in found)):
        meant = [each for each in found if (each.stack, each.way) == (stack, way)]
        yield Summary(
            stack,
            way,
            len(meant),
            sum(each.resumed for each in meant),
            sum(len(each.orphans) for each in meant),
            [each.target.type for each in meant if each.refused],
        )


def measure_aws_sweep() -> Measurement:
    return _measure(AWS)


def measure_gcp_sweep() -> Measurement:
    return _measure(GCP)


def _measure(stacks: Sequence[str]) -> Measurement:
    found: list[Outcome] = []
    with temporary_folder() as folder:
        for stack in stacks:
            sweep = Sweep(stack, folder)
            sweep.run(WAYS)
            found += sweep.outcomes()
    results = list(summaries(found))
    told = [each for each in results if each.way not in LOSING]
    points, resumed = len(found), sum(each.resumed for each in found)
    return Measurement(
        value=100 * resumed / points,
        unit="% resumed",
        goal="100, and no orphans but of what the engine never heard of",
        met=resumed == points and not any(each.orphans for each in told),
        reference="the end state of an undisturbed `up`",
        runs=[100 * each.resumed / each.points for each in results],
        detail={f"{each.stack} {each.way}": vars(each) for each in results},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--stacks", nargs="*", default=(*AWS, *GCP), choices=(*AWS, *GCP))
    parser.add_argument("--ways", nargs="*", default=WAYS, choices=WAYS)
    arguments = parser.parse_args()
    for stack in arguments.stacks:
        sweep = Sweep(stack, arguments.folder)
        sweep.run(arguments.ways)
        for each in summaries(sweep.outcomes()):
            print(each)


def _line(outcome: Outcome) -> str:
    state = "resumed" if outcome.resumed else "refused" if outcome.refused else "NOT resumed"
    left = f", {len(outcome.orphans)} orphans" if outcome.orphans else ""
    return (
        f"{outcome.stack} {outcome.way} {outcome.target.type} {outcome.target.name}: {state}{left}"
    )


if __name__ == "__main__":
    main()
