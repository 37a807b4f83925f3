"""Switches to and fro through the Gateway API, while users ask through every Envoy of the Gateway.

A real API server and controllers, Envoy Gateway, two Envoys, and two Tritons with the objects of
real slots. Windows with a switch and windows without alternate, as in `switch_run`.
"""

import asyncio
import json
import shutil
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

from tests.benchmarks.kubernetes_cluster import temporary_cluster
from tests.benchmarks.kubernetes_slots import make_namespace, make_slot, revisions_of
from tests.benchmarks.local_service import copy_serving
from tests.benchmarks.stacks import RESULTS, say
from tests.benchmarks.switch_run import (
    DRAIN_SECONDS,
    SEED,
    SWITCH_AT_SECONDS,
    WARM_UP_SECONDS,
    WINDOW_SECONDS,
    Run,
    Switch,
    sleep_until,
    start_load,
)
from tests.benchmarks.switch_users import SwitchUsers
from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.envoy_gateway import GATEWAY_CLASS, EnvoyGateway
from tests.cluster.routed_service import PORT, make_gateway, until
from tidegate.cluster.client import Cluster, Object
from tidegate.cluster.kinds import Kind
from tidegate.cluster.kubeconfig import read_kubeconfig
from tidegate.files import write_json
from tidegate.gate.samples import Samples
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.spec.revision import Revision
from tidegate.traffic.drain import drain
from tidegate.traffic.gateway_api.data_plane import DataPlane
from tidegate.traffic.gateway_api.envoys import find_envoys
from tidegate.traffic.gateway_api.objects import KINDS
from tidegate.traffic.gateway_api.router import GatewayApiRouter
from tidegate.traffic.router import RouterError
from tidegate.traffic.routes import ServiceRoutes

SERVICE = "digits"
RELEASES = ("1", "2")
NAMESPACE = "switches"
HOST_NAME = "digits.example.org"
ENVOYS = 2
SWITCHES = 100
RATE_PER_SECOND = 330.0
"""Above the 300 that are asked for, because arrivals are random."""
DEADLINE_SECONDS = 10.0
READY_SECONDS = 180.0


@dataclass(frozen=True)
class KubernetesSwitch(Switch):
    """`patched` is the moment at which the first route of the move was sent to the API server."""

    patched: float


@dataclass(frozen=True)
class KubernetesRun(Run):
    """`requests_by_envoy` are requests that each Envoy brought to an end, this run's and probes."""

    requests_by_envoy: list[int]


class NotingCluster(Cluster):
    """Notes when routes are written: moments of `time.perf_counter`, one for each write."""

    def __init__(self, kubeconfig: str, namespace: str) -> None:
        super().__init__(read_kubeconfig(kubeconfig, None), namespace)
        self.written: list[float] = []

    async def apply(self, kind: Kind, content: Object, *, dry_run: bool = False) -> Object:
        if kind in KINDS and not dry_run:
            self.written.append(time.perf_counter())
        return await super().apply(kind, content, dry_run=dry_run)


@cache
def kubernetes_switch_run(switches: int = SWITCHES) -> KubernetesRun:
    """Made once in a process: every figure of it is of one run."""
    with temporary_cluster() as (cluster, folder):
        EnvoyGateway(cluster)
        return asyncio.run(_measured(cluster, folder, switches))


async def _measured(cluster: KubernetesCluster, folder: Path, switches: int) -> KubernetesRun:
    serving_root = copy_serving(folder / "serving")
    revisions = revisions_of(cluster, serving_root, SERVICE, RELEASES)
    client = NotingCluster(cluster.kubeconfig, NAMESPACE)
    try:
        await make_namespace(client)
        say(f"  starting {ENVOYS} Envoys and {len(RELEASES)} Tritons")
        gateway = await make_gateway(client, GATEWAY_CLASS, ENVOYS)
        for revision in revisions.values():
            await make_slot(client, revision, gateway)
        router = GatewayApiRouter(client, gateway)
        try:
            await _until_healthy(router, revisions)
            addresses = [each.address for each in await find_envoys(client, gateway)]
            users = _users(addresses, revisions, serving_root, folder, switches)
            made = await _switch_under_load(client, router, users, folder, switches)
            by_envoy = await _requests_by_envoy(client, gateway, users)
            return await _run(router, users, made, by_envoy)
        finally:
            await router.close()
    finally:
        await client.close()


async def _until_healthy(router: GatewayApiRouter, revisions: Mapping[str, Revision]) -> None:
    async def are_healthy() -> bool:
        try:
            return all([await router.is_healthy(each.id) for each in revisions.values()])
        except RouterError:
            return False

    await until(are_healthy, READY_SECONDS)


def _users(
    addresses: list[str],
    revisions: Mapping[str, Revision],
    serving_root: Path,
    folder: Path,
    switches: int,
) -> SwitchUsers:
    return SwitchUsers(
        target=f"{HOST_NAME}:{PORT}",
        serving_root=str(serving_root),
        service=SERVICE,
        releases={each.id: name for name, each in revisions.items()},
        rate_per_second=RATE_PER_SECOND,
        seconds=WARM_UP_SECONDS + 2 * switches * WINDOW_SECONDS,
        deadline_seconds=DEADLINE_SECONDS,
        seed=SEED,
        result=str(folder / "samples.npz"),
        addresses=[f"{each}:{PORT}" for each in addresses],
    )


async def _switch_under_load(
    client: NotingCluster,
    router: GatewayApiRouter,
    users: SwitchUsers,
    folder: Path,
    count: int,
) -> list[KubernetesSwitch]:
    live, other = users.releases
    routes = ServiceRoutes(
        SERVICE, (SERVICE,), {live: 100, other: 0}, DEADLINE_SECONDS, hostnames=(HOST_NAME,)
    )
    await router.apply(routes)
    process = await asyncio.to_thread(start_load, users, folder)
    switches: list[KubernetesSwitch] = []
    try:
        output = process.stdout
        assert output is not None
        origin = json.loads(await asyncio.to_thread(output.readline))["origin"]
        for start in _windows(count)[1::2]:
            await sleep_until(origin + start + SWITCH_AT_SECONDS)
            old, new = (live, other) if len(switches) % 2 == 0 else (other, live)
            moved = replace(routes, weights={old: 0, new: 100})
            client.written.clear()
            called = time.perf_counter() - origin
            await router.apply(moved, replacing=routes)
            confirmed = time.perf_counter() - origin
            drained = await drain(router, old, DRAIN_SECONDS, asyncio.sleep, lambda _: None)
            switches.append(
                KubernetesSwitch(
                    old,
                    called,
                    confirmed,
                    time.perf_counter() - origin,
                    drained.left,
                    patched=client.written[0] - origin,
                )
            )
            routes = moved
            if len(switches) % 10 == 0:
                say(f"  {len(switches)} of {count} switches")
        if await asyncio.to_thread(process.wait, users.seconds + 60):
            raise AssertionError(f"the load failed: {_log(folder)}")
    finally:
        process.kill()
        process.wait()
    return switches


def _windows(switches: int) -> list[float]:
    """Beginnings: one without a switch, one with, and so on."""
    return [WARM_UP_SECONDS + number * WINDOW_SECONDS for number in range(2 * switches)]


async def _requests_by_envoy(
    client: Cluster, gateway: GatewayReference, users: SwitchUsers
) -> list[int]:
    data_plane = DataPlane(client, gateway)
    try:
        found: Counter[str] = Counter()
        for revision in users.releases:
            counted = await data_plane.counted(client.namespace, revision)
            for envoy, protocols in counted.items():
                found[envoy.uid] += sum(each.requests for each in protocols.values())
        return sorted(found.values())
    finally:
        await data_plane.close()


async def _run(
    router: GatewayApiRouter,
    users: SwitchUsers,
    switches: list[KubernetesSwitch],
    requests_by_envoy: list[int],
) -> KubernetesRun:
    result = Path(users.result)
    RESULTS.mkdir(parents=True, exist_ok=True)
    shutil.copy(result, RESULTS / "kubernetes-switches.npz")
    write_json(RESULTS / "kubernetes-switches.json", [asdict(each) for each in switches])
    counters = [await router.user_counters(revision) for revision in users.releases]
    starts = _windows(len(switches))
    return KubernetesRun(
        samples=Samples.load(result),
        switches=list(switches),
        switch_windows=starts[1::2],
        steady_windows=starts[0::2],
        first_errors=json.loads(result.with_suffix(".json").read_text()),
        retries=sum(each.retries for each in counters),
        gateway_errors=sum(each.errors for each in counters),
        gateway_requests=sum(each.requests for each in counters),
        requests_by_envoy=requests_by_envoy,
    )


def _log(folder: Path) -> str:
    return (folder / "load.log").read_text(errors="replace")[-2000:]
