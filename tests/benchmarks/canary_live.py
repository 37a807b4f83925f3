"""Canaries on real servers: how often the traffic turns back, and how many users met the fault.

`python -m tests.benchmarks.canary_live [--runs N]`. Four Tritons serve one release: the one that
has the traffic, an equal one, one that fails two requests in a hundred, one that takes half as
long again. Users ask all the time, over HTTP and gRPC. Every candidate is switched to as a canary,
the faulty ones also all at once with a bake, through the same conductor as `pulumi up` submits to;
without the engine, and without gates, which the faulty ones would not pass.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median_high

from tests.benchmarks.figure import Measurement
from tests.benchmarks.local_service import copy_serving, start_service
from tests.benchmarks.stacks import RESULTS, say, temporary_folder
from tests.engine.harness.load import Answered, BackgroundLoad
from tests.engine.harness.releases import SERVICE, Fault, publish_variant
from tidegate.gate.statistics import lower_bound, upper_bound
from tidegate.local.stack import LocalStack
from tidegate.local.state_folder import StateFolder
from tidegate.spec.traffic import CanaryStep, SwitchStrategy
from tidegate.traffic.plan import plan
from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.switch_documents import Ending
from tidegate.traffic.switch_history import SwitchPlan

RUNS = 20
LOAD_PER_SECOND = 110.0
INSTANCES = 4
STRATEGIES = {
    "canary": SwitchStrategy(
        strategy="canary",
        steps=(CanaryStep(weight=20, seconds=12), CanaryStep(weight=50, seconds=12)),
        bake_seconds=5,
        minimum_requests=300,
        patience=4,
    ),
    "all-at-once": SwitchStrategy(bake_seconds=15),
}
_WORK = """
import random
import time

class TritonPythonModel(_Base):
    warm_ups = 16

    def execute(self, requests):
        self.warm_ups -= len(requests)
        time.sleep({factor} * sum(random.lognormvariate(-5.0, 0.4) for _ in requests))
        responses = super().execute(requests)
        return [
            pb_utils.InferenceResponse(error=pb_utils.TritonError("drawn to fail"))
            if self.warm_ups < 0 and random.random() < {failing} else response
            for response in responses
        ]
"""
CANDIDATES = {
    "equal": {"factor": 1.0, "failing": 0.0},
    "2% errors": {"factor": 1.0, "failing": 0.02},
    "slower": {"factor": 1.5, "failing": 0.0},
}
KINDS = [
    (strategy, candidate)
    for strategy in STRATEGIES
    for candidate in CANDIDATES
    if (strategy, candidate) != ("all-at-once", "equal")
]
LIVE_RELEASE = "201"


@dataclass(frozen=True)
class LiveRun:
    """One switch. `met` are users' requests that the candidate answered, `failed` all that were no
    success meanwhile; times in seconds."""

    candidate: str
    strategy: str
    ending: str
    reason: str
    seconds: float
    met: int
    failed: int
    p95_ratio: float
    """Of the candidate's requests to the live revision's, as the users' own clock saw them."""


class Stage:
    """The servers, the gateway and the users."""

    def __init__(self, folder: Path) -> None:
        self.serving_root = copy_serving(folder / "serving")
        self.stack = LocalStack(StateFolder(folder / "state"))
        self.revisions = {name: f"{SERVICE}-{name.replace('% ', '-')}" for name in CANDIDATES}
        self.live = f"{SERVICE}-live"

    async def start(self) -> None:
        traits = {self.live: CANDIDATES["equal"]}
        traits |= {self.revisions[name]: each for name, each in CANDIDATES.items()}
        releases = {
            revision: publish_variant(
                self.serving_root,
                str(int(LIVE_RELEASE) + number),
                like="2",
                mutate=Fault(_WORK.format(**each)).apply,
                instances=INSTANCES,
            )
            for number, (revision, each) in enumerate(traits.items())
        }
        await start_service(self.stack, SERVICE, releases, self.serving_root)
        await self.stack.router().apply(self.routes(self.live))

    def routes(self, revision: str) -> ServiceRoutes:
        return ServiceRoutes(SERVICE, (SERVICE,), {revision: 100}, 30)

    async def switch(self, candidate: str, strategy: str) -> tuple[Ending, str]:
        """Switch to a candidate; afterwards everything is as before."""
        revision, before = self.revisions[candidate], self.routes(self.live)
        asked = SwitchPlan(
            routes_before=before,
            stages=plan(before, self.routes(revision), STRATEGIES[strategy], False),
            strategy=STRATEGIES[strategy],
            from_revision=self.live,
            to_revision=revision,
            drain_seconds=10,
            retry_reason=None,
        )
        run = await self.stack.switches.submit(SERVICE, asked, "benchmark")
        outcome = await self.stack.switches.follow(run, asyncio.sleep, lambda _: None)
        await self.stack.router().apply(before)
        return outcome.ending, outcome.reason

    def stop(self) -> None:
        self.stack.supervisor.shut_down()


async def run_switches(folder: Path, runs: int, kept: Path) -> list[LiveRun]:
    """Every kind in turn, so that what the machine does meets all of them."""
    stage = Stage(folder)
    found: list[LiveRun] = []
    try:
        await stage.start()
        record = stage.stack.gateway.record()
        assert record is not None
        kept.parent.mkdir(parents=True, exist_ok=True)
        with kept.open("a", encoding="utf-8", buffering=1) as stream:
            for number in range(runs):
                for strategy, candidate in KINDS:
                    run = await _one(stage, record.address, candidate, strategy, folder)
                    say(f"{number + 1}. {candidate}, {strategy}: {run.ending}: {run.reason}")
                    stream.write(json.dumps(asdict(run)) + "\n")
                    found.append(run)
    finally:
        stage.stop()
    return found


async def _one(stage: Stage, address: str, candidate: str, strategy: str, folder: Path) -> LiveRun:
    load = BackgroundLoad(
        address,
        stage.serving_root,
        folder / "load.json",
        release=LIVE_RELEASE,
        rate_per_second=LOAD_PER_SECOND,
    )
    with load:
        await asyncio.sleep(2)
        begin = time.monotonic()
        ending, reason = await stage.switch(candidate, strategy)
        seconds = time.monotonic() - begin
        await asyncio.sleep(1)
    report = load.report()
    requests = report.requests
    revision = stage.revisions[candidate]
    met = [each for each in requests if each.revision == revision]
    return LiveRun(
        candidate,
        strategy,
        str(ending),
        reason,
        round(seconds, 1),
        len(met),
        len(report.failures),
        _p95_ratio(met, [each for each in requests if each.revision == stage.live]),
    )


def measure_canary_live(runs: int = RUNS) -> Measurement:
    """Every run has to end as its candidate deserves."""
    kept = RESULTS / f"canary-live-{time.strftime('%Y%m%dT%H%M%S')}.jsonl"
    with temporary_folder() as folder:
        found = asyncio.run(run_switches(folder, runs, kept))
    kinds = {
        f"{candidate}, {strategy}": _summary(
            [each for each in found if (each.candidate, each.strategy) == (candidate, strategy)]
        )
        for strategy, candidate in KINDS
    }
    wrong = sum(map(_ended_wrongly, found))
    return Measurement(
        value=wrong,
        unit=f"of {len(found)} switches ended wrongly",
        goal="0",
        met=wrong == 0,
        reference=(
            "equal candidates advance, failing ones are turned back, slower ones by a canary; "
            "a bake compares different moments and is not meant to see half as long again"
        ),
        runs=[wrong],
        detail=kinds,
    )


def _ended_wrongly(run: LiveRun) -> bool:
    if run.candidate == "equal":
        return run.ending != "advanced"
    seen = run.candidate != "slower" or run.strategy == "canary"
    return seen and run.ending != "turnedBack"


def _summary(runs: Sequence[LiveRun]) -> dict[str, object]:
    back = sum(each.ending == "turnedBack" for each in runs)
    return {
        "runs": len(runs),
        "endings": dict(Counter(each.ending for each in runs)),
        "turnedBack95": [
            round(lower_bound(back, len(runs), 0.95), 3),
            round(upper_bound(back, len(runs), 0.95), 3),
        ],
        "medianSeconds": median_high([each.seconds for each in runs]),
        "medianRequestsMet": median_high([each.met for each in runs]),
        "mostRequestsMet": max(each.met for each in runs),
        "medianFailed": median_high([each.failed for each in runs]),
        "medianP95Ratio": median_high([each.p95_ratio for each in runs]),
    }


def _p95_ratio(new: Sequence[Answered], old: Sequence[Answered]) -> float:
    ends = [_p95([each.done_at - each.sent_at for each in side]) for side in (new, old)]
    return round(ends[0] / ends[1], 3) if ends[1] else 0.0


def _p95(seconds: list[float]) -> float:
    return sorted(seconds)[int(0.95 * len(seconds))] if seconds else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help="switches of each kind")
    found = measure_canary_live(parser.parse_args().runs)
    print(found.line("canary_live"), flush=True)
    return 0 if found.met else 1


if __name__ == "__main__":
    sys.exit(main())
