"""Two hundred switches to and fro between two real releases, while users ask all the time.

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
from pathlib import Path
from typing import IO

from tests.benchmarks.local_service import copy_serving, start_service
from tests.benchmarks.stacks import RESULTS, say, temporary_folder
from tests.benchmarks.switch_users import SwitchUsers
from tests.engine.harness.toolchain_environment import REPOSITORY
from tidegate.files import write_json
from tidegate.gate.samples import Samples
from tidegate.local.stack import LocalStack
from tidegate.local.state_folder import StateFolder
from tidegate.spec.release import load_release
from tidegate.traffic.drain import drain
from tidegate.traffic.routes import ServiceRoutes

SERVICE = "digits"
RELEASES = {"digits-1": "1", "digits-2": "2"}
SWITCHES = 200
WINDOW_SECONDS = 2.5
SWITCH_AT_SECONDS = 0.5
"""From the beginning of a window; the rest of it sees what the switch leaves behind."""
WARM_UP_SECONDS = 5.0
RATE_PER_SECOND = 550.0
DEADLINE_SECONDS = 10.0
DRAIN_SECONDS = 10.0
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


@cache
def switch_run() -> Run:
    """Made once in a process: both figures are of one run."""
    with temporary_folder() as folder:
        return asyncio.run(_measured(folder))


async def _measured(folder: Path) -> Run:
    serving_root = copy_serving(folder / "serving")
    stack = LocalStack(StateFolder(folder / "state"))
    try:
        releases = {
            revision: load_release(serving_root, SERVICE, name)
            for revision, name in RELEASES.items()
        }
        await start_service(stack, SERVICE, releases, serving_root)
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
    process = await asyncio.to_thread(start_load, load, folder)
    try:
        output = process.stdout
        assert output is not None
        origin = json.loads(await asyncio.to_thread(output.readline))["origin"]
        switches: list[Switch] = []
        starts = [WARM_UP_SECONDS + number * WINDOW_SECONDS for number in range(2 * SWITCHES)]
        for start in starts[1::2]:
            await sleep_until(origin + start + SWITCH_AT_SECONDS)
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


def start_load(load: SwitchUsers, folder: Path) -> "subprocess.Popen[str]":
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


async def sleep_until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.perf_counter()))
