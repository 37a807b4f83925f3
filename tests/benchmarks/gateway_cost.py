"""What counting users' requests costs the gateway: its processor time, with and without.

Two Envoys in front of one real Triton take the same load in turns; they differ in the statistics
loggers alone.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from tests.benchmarks.figure import Measurement
from tests.benchmarks.local_service import copy_serving
from tests.benchmarks.stacks import say, temporary_folder
from tests.benchmarks.switch_users import SwitchUsers
from tests.engine.harness.gateway import RunningGateway, running_gateway
from tests.engine.harness.toolchain_environment import REPOSITORY
from tests.unit.provider.stand_ins import free_ports
from tidegate.gate.samples import Samples
from tidegate.local import triton
from tidegate.spec.release import load_release
from tidegate.traffic.routes import ServiceRoutes

SERVICE, RELEASE, REVISION = "digits", "2", "digits-2"
ROUNDS = 6
SECONDS = 10.0
RATE_PER_SECOND = 500.0
RESAMPLES = 2000
SEED = 20261122


def measure_gateway_cost() -> Measurement:
    """Microseconds of processor time that the statistics add to a request."""
    with temporary_folder() as folder:
        spent = asyncio.run(_measured(folder))
    differences = np.subtract(spent["with"], spent["without"])
    generator = np.random.default_rng(SEED)
    means = generator.choice(differences, (RESAMPLES, differences.size)).mean(axis=1)
    lower, upper = np.quantile(means, [0.025, 0.975])
    value = float(differences.mean())
    return Measurement(
        value=value,
        unit="microseconds of processor time more for a request",
        goal=None,
        met=True,
        reference="the same Envoy without the statistics loggers, in turns",
        runs=[float(each) for each in differences],
        detail={
            "lower": round(float(lower), 2),
            "upper": round(float(upper), 2),
            "microsecondsForARequest": {
                name: round(float(np.mean(values)), 1) for name, values in spent.items()
            },
            "ratePerSecond": RATE_PER_SECOND,
        },
    )


def _without_statistics(bootstrap: dict[str, Any]) -> None:
    (listener,) = bootstrap["static_resources"]["listeners"]
    (chain,) = listener["filter_chains"]
    manager = chain["filters"][0]["typed_config"]
    manager["access_log"] = [
        each for each in manager["access_log"] if not each["name"].startswith("users")
    ]
    assert len(manager["access_log"]) == 1
    bootstrap["stats_flush_interval"] = "5s"  # Envoy's default


async def _measured(folder: Path) -> dict[str, list[float]]:
    """Microseconds for a request, round by round."""
    spent: dict[str, list[float]] = {"with": [], "without": []}
    copy_serving(folder / "serving")
    async with (
        _triton(folder) as ports,
        running_gateway(folder / "with") as counting,
        running_gateway(folder / "without", _without_statistics) as plain,
    ):
        gateways = {"with": counting, "without": plain}
        for gateway in gateways.values():
            await gateway.add_server(
                SERVICE, REVISION, ports.http, ports.grpc, ready_path="/v2/health/ready"
            )
            await gateway.router.apply(ServiceRoutes(SERVICE, (SERVICE,), {REVISION: 100}, 30))
        for number in range(ROUNDS):
            # Either is first equally often: the second of a pair may meet a busier machine.
            names = list(gateways) if number % 2 else list(reversed(gateways))
            for name in names:
                spent[name].append(await _microseconds(folder, gateways[name]))
            say(
                f"  round {number + 1} of {ROUNDS}: {spent['with'][-1]:.1f} µs with statistics, "
                f"{spent['without'][-1]:.1f} µs without"
            )
    return spent


async def _microseconds(folder: Path, gateway: RunningGateway) -> float:
    result = folder / "samples.npz"
    users = SwitchUsers(
        gateway.target,
        str(folder / "serving"),
        SERVICE,
        {REVISION: RELEASE},
        RATE_PER_SECOND,
        SECONDS,
        10.0,
        SEED,
        str(result),
    )
    users.write(folder / "users.json")
    before = _processor_seconds(gateway)
    command = [sys.executable, "-m", "tests.benchmarks.switch_load", str(folder / "users.json")]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=REPOSITORY, stdout=asyncio.subprocess.DEVNULL
    )
    if await process.wait() != 0:
        raise RuntimeError("the load generator failed; its error is above")
    seconds = _processor_seconds(gateway) - before
    samples = Samples.load(result)
    if not samples.ok.all():
        raise RuntimeError(f"requests failed: {json.dumps(samples.errors_by_kind())}")
    return seconds / len(samples) * 1e6


def _processor_seconds(gateway: RunningGateway) -> float:
    times = psutil.Process(gateway.process.pid).cpu_times()
    return float(times.user + times.system)


@contextlib.asynccontextmanager
async def _triton(folder: Path) -> AsyncIterator[triton.TritonPorts]:
    release = load_release(folder / "serving", SERVICE, RELEASE)
    release.copy_repository(folder / "serving", folder / "repository")
    triton.prepare_backends(folder / "backends")
    ports = triton.TritonPorts(*free_ports(3))
    prefix = f"gateway-cost-{ports.http}-"
    command = triton.command(folder / "repository", folder / "backends", ports, prefix)
    process = await asyncio.create_subprocess_exec(
        *command,
        env=dict(triton.environment()),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield ports
    finally:
        process.terminate()
        await process.wait()
        for leftover in triton.shared_memory_files(prefix):
            leftover.unlink(missing_ok=True)
