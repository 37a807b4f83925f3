"""A hundred switches to and fro between two real releases, while users ask all the time.

Windows with a switch and windows without alternate in one run, so that whatever else the machine
does meets both alike.
"""

import asyncio
import json
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from tests.benchmarks.figure import Measurement, spread
from tests.benchmarks.stacks import RESULTS, say, temporary_folder
from tests.benchmarks.switch_users import SwitchUsers
from tests.engine.harness.toolchain_environment import REPOSITORY
from tidegate.files import write_json
from tidegate.gate.samples import ProtocolCode, Samples
from tidegate.local.slots import SlotRequest
from tidegate.local.stack import LocalStack
from tidegate.local.state_folder import StateFolder
from tidegate.spec.release import load_release
from tidegate.traffic.drain import drain
from tidegate.traffic.routes import ServiceRoutes

SERVICE = "digits"
RELEASES = {"digits-1": "1", "digits-2": "2"}
SWITCHES = 100
WINDOW_SECONDS = 2.5
SWITCH_AT_SECONDS = 0.5
"""From the beginning of a window; the rest of it sees what the switch leaves behind."""
WARM_UP_SECONDS = 5.0
RATE_PER_SECOND = 550.0
LEAST_PER_SECOND = 500.0
DEADLINE_SECONDS = 10.0
DRAIN_SECONDS = 10.0
MOST_SECONDS_ON_THE_OLD_SIDE = 1.0
QUANTILE = 0.99
MOST_TIMES_SLOWER = 1.2
RESAMPLES = 1000
CONFIDENCE = 0.95
SEED = 20261122


@dataclass(frozen=True)
class Switch:
    """Moments in seconds of the load's clock. `left` were still open at the drain's limit."""

    old: str
    called: float
    confirmed: float
    drained: float
    left: int


@dataclass(frozen=True)
class Run:
    """`switch_windows` and `steady_windows` are beginnings; each lasts WINDOW_SECONDS."""

    samples: Samples
    switches: list[Switch]
    switch_windows: list[float]
    steady_windows: list[float]
    first_errors: dict[str, str]
    retries: int
    gateway_errors: int
    gateway_requests: int


def measure_switches() -> Measurement:
    """Requests that failed, were repeated, or were answered by a revision that had drained."""
    run = _run()
    samples = run.samples
    failed = int(np.count_nonzero(~samples.ok)) + run.gateway_errors
    late = sum(_answers_after_drain(run))
    seconds = _seconds_on_the_old_side(run)
    left = sum(each.left for each in run.switches)
    rate = len(samples) / (samples.intended[-1] - samples.intended[0])
    bad = failed + run.retries + late + left
    return Measurement(
        value=bad,
        unit="requests failed, repeated, cut, or answered by a drained revision",
        goal="0",
        met=bad == 0 and rate >= LEAST_PER_SECOND and max(seconds) < MOST_SECONDS_ON_THE_OLD_SIDE,
        reference=f"{len(run.switches)} switches at {LEAST_PER_SECOND:g} requests/s at least, "
        "HTTP binary, HTTP JSON and gRPC",
        runs=[bad],
        detail={
            "requests": len(samples),
            "requestsByGateway": run.gateway_requests,
            "requestsByProtocol": _by_protocol(samples),
            "ratePerSecond": round(float(rate), 1),
            "failed": failed,
            "retried": run.retries,
            "answeredAfterDrain": late,
            "cut": left,
            "firstErrors": run.first_errors,
            "millisecondsToLastStartOnOldSide": {
                "p50": round(float(np.median(seconds)) * 1000, 2),
                "max": round(max(seconds) * 1000, 2),
            },
            "millisecondsToConfirm": _milliseconds(
                [each.confirmed - each.called for each in run.switches]
            ),
            "millisecondsToDrained": _milliseconds(
                [each.drained - each.called for each in run.switches]
            ),
            "generatorLagP99Milliseconds": round(float(np.quantile(samples.lag, 0.99)) * 1000, 2),
        },
    )


def measure_switch_latency() -> Measurement:
    """p99 in windows with a switch over p99 in the windows between them."""
    run = _run()
    with_switch = [_latencies(run.samples, start) for start in run.switch_windows]
    steady = [_latencies(run.samples, start) for start in run.steady_windows]
    ratio = _p99(with_switch) / _p99(steady)
    generator = np.random.default_rng(SEED)
    resampled = []
    for _ in range(RESAMPLES):
        # Neighbours stay together: the machine is alike for both.
        chosen = generator.integers(len(steady), size=len(steady))
        resampled.append(
            _p99([with_switch[each] for each in chosen]) / _p99([steady[each] for each in chosen])
        )
    tail = (1 - CONFIDENCE) / 2
    lower, upper = np.quantile(resampled, [tail, 1 - tail])
    return Measurement(
        value=ratio,
        unit="times the steady p99",
        goal=f"upper bound <= {MOST_TIMES_SLOWER:g}",
        met=bool(upper <= MOST_TIMES_SLOWER),
        reference=f"{len(steady)} windows of {WINDOW_SECONDS:g} s without a switch, "
        "alternating in the same run",
        runs=[ratio],
        detail={
            "confidence": CONFIDENCE,
            "lower": round(float(lower), 3),
            "upper": round(float(upper), 3),
            "milliseconds": {
                name: {
                    f"p{share * 100:g}": round(_quantile(windows, share) * 1000, 2)
                    for share in (0.5, 0.95, QUANTILE)
                }
                for name, windows in (("withSwitch", with_switch), ("steady", steady))
            },
            "requests": {
                "withSwitch": sum(each.size for each in with_switch),
                "steady": sum(each.size for each in steady),
            },
        },
    )


# -- the run --------------------------------------------------------------------------------------


@cache
def _run() -> Run:
    """Both figures are of one run."""
    with temporary_folder() as folder:
        return asyncio.run(_measured(folder))


async def _measured(folder: Path) -> Run:
    serving_root = folder / "serving"
    shutil.copytree(REPOSITORY / "serving", serving_root)
    stack = LocalStack(StateFolder(folder / "state"))
    try:
        await stack.gateway.start(
            None, None, tuple(RELEASES), (SERVICE,), asyncio.sleep, lambda _: None
        )
        for revision, name in RELEASES.items():
            release = load_release(serving_root, SERVICE, name)
            await stack.slots.deploy(
                SlotRequest(revision, release, serving_root, 60, 1), asyncio.sleep, lambda _: None
            )
        return await _switch_under_load(stack, folder, serving_root)
    finally:
        await asyncio.to_thread(stack.supervisor.shut_down)


async def _switch_under_load(stack: LocalStack, folder: Path, serving_root: Path) -> Run:
    router = stack.router()
    live, other = RELEASES
    routes = ServiceRoutes(SERVICE, (SERVICE,), {live: 100, other: 0}, DEADLINE_SECONDS)
    await router.apply(routes)
    seconds = WARM_UP_SECONDS + 2 * SWITCHES * WINDOW_SECONDS
    record = stack.gateway.record()
    assert record is not None
    result = folder / "samples.npz"
    load = SwitchUsers(
        record.address,
        str(serving_root),
        SERVICE,
        RELEASES,
        RATE_PER_SECOND,
        seconds,
        DEADLINE_SECONDS,
        SEED,
        str(result),
    )
    process = await asyncio.to_thread(_start_load, load, folder)
    try:
        output = process.stdout
        assert output is not None
        origin = json.loads(await asyncio.to_thread(output.readline))["origin"]
        switches: list[Switch] = []
        starts = [WARM_UP_SECONDS + number * WINDOW_SECONDS for number in range(2 * SWITCHES)]
        for start in starts[1::2]:
            await _sleep_until(origin + start + SWITCH_AT_SECONDS)
            old, new = (live, other) if len(switches) % 2 == 0 else (other, live)
            moved = replace(routes, weights={old: 0, new: 100})
            called = time.perf_counter() - origin
            await router.apply(moved, replacing=routes)
            confirmed = time.perf_counter() - origin
            drained = await drain(router, old, DRAIN_SECONDS, asyncio.sleep, lambda _: None)
            switches.append(
                Switch(old, called, confirmed, time.perf_counter() - origin, drained.left)
            )
            routes = moved
            if len(switches) % 10 == 0:
                say(f"  {len(switches)} of {SWITCHES} switches")
        await asyncio.to_thread(process.wait, seconds + 60)
    finally:
        process.kill()
        process.wait()
    RESULTS.mkdir(parents=True, exist_ok=True)
    shutil.copy(result, RESULTS / "switches.npz")
    write_json(RESULTS / "switches.json", [asdict(each) for each in switches])
    counters = [await router.user_counters(revision) for revision in RELEASES]
    return Run(
        samples=Samples.load(result),
        switches=switches,
        switch_windows=starts[1::2],
        steady_windows=starts[0::2],
        first_errors=json.loads(result.with_suffix(".json").read_text()),
        retries=sum(each.retries for each in counters),
        gateway_errors=sum(each.errors for each in counters),
        gateway_requests=sum(each.requests for each in counters),
    )


def _start_load(load: SwitchUsers, folder: Path) -> "subprocess.Popen[str]":
    plan = folder / "load.json"
    load.write(plan)
    log: IO[bytes] = (folder / "load.log").open("wb")
    with log:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.switch_load", str(plan)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )


async def _sleep_until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.perf_counter()))


# -- what it says ---------------------------------------------------------------------------------


def _ends(run: Run) -> list[float]:
    """When the next switch begins, for each: until then its old side has no traffic."""
    last = float(run.samples.intended[-1])
    return [after.called for _, after in pairwise(run.switches)] + [last]


def _seconds_on_the_old_side(run: Run) -> list[float]:
    """From each call of the router to the last request that was started on the old side."""
    samples = run.samples
    found = []
    for switch, end in zip(run.switches, _ends(run), strict=True):
        old = samples.revision == samples.revisions.index(switch.old)
        begun = samples.sent[old & (samples.sent > switch.called) & (samples.done < end)]
        found.append(float(begun.max() - switch.called) if begun.size else 0.0)
    return found


def _answers_after_drain(run: Run) -> list[int]:
    samples = run.samples
    found = []
    for switch, end in zip(run.switches, _ends(run), strict=True):
        old = samples.revision == samples.revisions.index(switch.old)
        late = old & (samples.done > switch.drained) & (samples.done < end)
        found.append(int(np.count_nonzero(late)))
    return found


def _latencies(samples: Samples, start: float) -> npt.NDArray[np.float64]:
    inside = (samples.intended >= start) & (samples.intended < start + WINDOW_SECONDS)
    return np.asarray(samples.latency[inside])


def _p99(windows: list[npt.NDArray[np.float64]]) -> float:
    return _quantile(windows, QUANTILE)


def _quantile(windows: list[npt.NDArray[np.float64]], share: float) -> float:
    pooled = np.concatenate(windows)
    place = min(int(np.ceil(share * pooled.size)), pooled.size) - 1
    return float(np.partition(pooled, place)[place])


def _by_protocol(samples: Samples) -> dict[str, int]:
    codes, counts = np.unique(samples.protocol, return_counts=True)
    return {ProtocolCode(code).label: int(count) for code, count in zip(codes, counts, strict=True)}


def _milliseconds(seconds: list[float]) -> dict[str, float]:
    return spread([each * 1000 for each in seconds])
