"""Slots of the embedded platform: one Triton per revision."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from tidegate.local import PLATFORM, ports, triton
from tidegate.local.orphans import end_orphans
from tidegate.local.slot_record import SlotRecord, is_ready
from tidegate.local.slot_records import SlotRecords
from tidegate.local.state_folder import StateFolder
from tidegate.local.supervision import Program, Supervisor
from tidegate.local.waiting import Report, Sleep
from tidegate.spec.release import Release
from tidegate.traffic.envoy.admin import EnvoyAdmin
from tidegate.traffic.envoy.clusters import UpstreamServer, cluster_names
from tidegate.traffic.envoy.discovery import DiscoveryFiles
from tidegate.traffic.envoy.router import EnvoyFileRouter
from tidegate.traffic.router import RouterError
from tidegate.traffic.routes import ServiceRoutes

POLL_SECONDS = 0.1
GATEWAY_HEALTH_SECONDS = 20.0
PORT_ATTEMPTS = 3


class SlotError(Exception):
    """The slot could not be brought up or down; nothing of a new one is left behind."""


class SlotNotReadyError(SlotError):
    """The server still runs but its models are not ready in time; the slot is kept."""


@dataclass(frozen=True)
class SlotRequest:
    """What a slot serves: a release from `serving_root`, under a revision's name."""

    revision: str
    release: Release
    serving_root: Path
    ready_timeout_seconds: float
    health_interval_seconds: float


class Slots:
    """All slots of one stack."""

    def __init__(
        self,
        folder: StateFolder,
        supervisor: Supervisor,
        discovery: DiscoveryFiles,
        admin: Callable[[], EnvoyAdmin],
    ) -> None:
        self._folder = folder
        self._supervisor = supervisor
        self._records = SlotRecords(folder, supervisor)
        self._discovery = discovery
        self._admin = admin
        self._abandoned: list[FileLock] = []

    def record(self, revision: str) -> SlotRecord | None:
        return self._records.get(revision)

    def records(self) -> list[SlotRecord]:
        return self._records.all()

    def repository(self, revision: str) -> Path:
        """The copy of the model repository that the slot's server reads."""
        return self._folder.slot(revision) / "repository"

    async def is_serving(self, revision: str) -> bool:
        """Whether the server runs, is ready, and is known to the gateway."""
        record = self.record(revision)
        state = self._supervisor.state(revision)
        if record is None or state is None or not state.is_up:
            return False
        known = any(each.revision == revision for each in self._discovery.servers())
        return known and await is_ready(record, state.pid)

    async def deploy(self, request: SlotRequest, sleep: Sleep, report: Report) -> SlotRecord:
        """Start the revision's server, or adopt it, and wait until the gateway finds it healthy.

        Raises SlotError (nothing is left, unless the revision takes traffic), SlotNotReadyError
        (kept), SpecError (files differ).
        """
        async with self._alone(request.revision, sleep):
            with ports.Reservations() as reservations:
                return await self._deploy(request, reservations, sleep, report)

    async def remove(self, revision: str, sleep: Sleep) -> None:
        """Leave the gateway, then stop the server. Raises SlotError while traffic goes to it."""
        service = self._traffic_of(revision)
        if service is not None:
            raise SlotError(
                f"{revision} takes {service.weights[revision]}% of the traffic of "
                f"{service.service}; it cannot be removed before the traffic has moved"
            )
        async with self._alone(revision, sleep):
            self._discovery.remove_server(revision)
            await self._wait_until_forgotten(revision, sleep)
            await asyncio.to_thread(self._clean_up, revision)

    # -- steps --------------------------------------------------------------------------------

    @asynccontextmanager
    async def _alone(self, revision: str, sleep: Sleep) -> AsyncIterator[None]:
        """Wait until no other provider works on the slot: a killed engine's may still be busy."""
        self._folder.slots.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._folder.slots / f"{revision}.lock", thread_local=False)
        while not lock.is_locked:
            try:
                lock.acquire(blocking=False)
            except Timeout:
                await sleep(POLL_SECONDS)
        try:
            yield
        except asyncio.CancelledError:
            # The provider ends, but a thread of this call may go on: the process keeps the lock.
            self._abandoned.append(lock)
            raise
        except BaseException:
            lock.release()
            raise
        lock.release()

    async def _deploy(
        self,
        request: SlotRequest,
        reservations: ports.Reservations,
        sleep: Sleep,
        report: Report,
    ) -> SlotRecord:
        record = self._record_with_ports(request, reservations)
        try:
            report("checking the model's files")
            self._check_server(request.release)
            await asyncio.to_thread(self._lay_out, request)
            record = await self._bring_up(record, request, reservations, sleep, report)
            report("waiting until the gateway finds it healthy")
            await self._register(record, request, sleep)
        except SlotNotReadyError:
            raise
        except Exception:
            if self._traffic_of(request.revision) is None:
                await asyncio.to_thread(self._clean_up, request.revision)
            raise
        return record

    async def _bring_up(
        self,
        record: SlotRecord,
        request: SlotRequest,
        reservations: ports.Reservations,
        sleep: Sleep,
        report: Report,
    ) -> SlotRecord:
        """Start or adopt the server and wait until it is ready, on other ports if it has to be."""
        attempts = 1
        while True:
            report("starting Triton")
            started = await asyncio.to_thread(self._start, record)
            try:
                await self._wait_until_ready(record, request, started, sleep, report)
            except SlotNotReadyError:
                raise
            except SlotError:
                if attempts == PORT_ATTEMPTS:
                    raise
                moved = self._record_with_ports(request, reservations)
                if moved == record:  # its ports are not why it ended
                    raise
                report("another process has its port; choosing others")
                record, attempts = moved, attempts + 1
            else:
                return record

    def _traffic_of(self, revision: str) -> ServiceRoutes | None:
        """The service whose traffic the revision takes, None when it takes none."""
        services = self._discovery.services()
        return next((each for each in services if each.weights.get(revision, 0) > 0), None)

    def _record_with_ports(
        self, request: SlotRequest, reservations: ports.Reservations
    ) -> SlotRecord:
        try:
            return self._records.with_ports(request.revision, request.release, reservations)
        except ports.NoFreePortError as error:
            raise SlotError(str(error)) from error

    def _check_server(self, release: Release) -> None:
        variant = release.servers.get(PLATFORM)
        if variant is None:
            raise SlotError(
                f"{release.service}@{release.release} has no server for the platform "
                f"'{PLATFORM}'; its manifest names {', '.join(sorted(release.servers))}"
            )
        found = triton.server_digest()
        if variant.sha256 != found:
            raise SlotError(
                f"{release.service}@{release.release} is for {variant.distribution} "
                f"{variant.version} ({variant.sha256}), installed is {triton.DISTRIBUTION} "
                f"{triton.server_version()} ({found}); install the pinned requirements or publish "
                "a release for the installed server"
            )

    def _lay_out(self, request: SlotRequest) -> None:
        repository = self.repository(request.revision)
        state = self._supervisor.state(request.revision)
        if state is not None and state.is_up and repository.exists():
            return
        shutil.rmtree(repository, ignore_errors=True)
        request.release.copy_repository(request.serving_root, repository)
        triton.prepare_backends(self._folder.root / "backends")

    def _start(self, record: SlotRecord) -> int:
        """Start or adopt the server; returns its process id."""
        prefix = self._folder.shared_memory_prefix(record.revision)
        command = triton.command(
            self.repository(record.revision),
            self._folder.root / "backends",
            triton.TritonPorts(record.http_port, record.grpc_port, record.metrics_port),
            prefix,
        )
        self._supervisor.start(
            Program(
                record.revision,
                command,
                triton.environment(),
                stop_seconds=triton.EXIT_TIMEOUT_SECONDS + 5,
                helpers_mark=prefix,
            )
        )
        state = self._supervisor.state(record.revision)
        return state.pid if state is not None else 0

    async def _wait_until_ready(
        self,
        record: SlotRecord,
        request: SlotRequest,
        pid: int,
        sleep: Sleep,
        report: Report,
    ) -> None:
        begin = time.monotonic()
        while not await is_ready(record, pid):
            state = self._supervisor.state(record.revision)
            if state is None or not state.is_up or state.pid != pid:
                raise SlotError(
                    f"Triton for {record.revision} ended before its models were ready; "
                    f"its log ends with:\n{self._supervisor.log_tail(record.revision)}"
                )
            waited = time.monotonic() - begin
            if waited >= request.ready_timeout_seconds:
                raise SlotNotReadyError(
                    f"{record.revision} is not ready after {request.ready_timeout_seconds:g} s: "
                    f"Triton runs (pid {pid}) but does not report its models as ready; "
                    f"its log ends with:\n{self._supervisor.log_tail(record.revision)}"
                )
            report(f"waiting for the models, {waited:.0f} s of {request.ready_timeout_seconds:g} s")
            await sleep(POLL_SECONDS)

    async def _register(self, record: SlotRecord, request: SlotRequest, sleep: Sleep) -> None:
        self._discovery.put_server(
            UpstreamServer(
                service=record.service,
                revision=record.revision,
                host=ports.LOOPBACK,
                http_port=record.http_port,
                grpc_port=record.grpc_port,
                ready_path=record.ready_paths[0],
                health_interval_seconds=request.health_interval_seconds,
            )
        )
        names = set(cluster_names(record.revision))
        deadline = time.monotonic() + GATEWAY_HEALTH_SECONDS
        last = "it has not been health-checked"
        while time.monotonic() < deadline:
            try:
                if names <= await self._admin().healthy_clusters():
                    await EnvoyFileRouter(self._discovery, self._admin()).settle()
                    return
            except RouterError as error:
                last = str(error)
            await sleep(POLL_SECONDS)
        raise SlotError(
            f"the gateway did not find {record.revision} healthy within "
            f"{GATEWAY_HEALTH_SECONDS:g} s: {last}"
        )

    async def _wait_until_forgotten(self, revision: str, sleep: Sleep) -> None:
        """Envoy closes its connections with the cluster; Triton's exit waits for open ones."""
        names = set(cluster_names(revision))
        deadline = time.monotonic() + GATEWAY_HEALTH_SECONDS
        try:
            while names & await self._admin().cluster_names() and time.monotonic() < deadline:
                await sleep(POLL_SECONDS)
        except RouterError:
            return  # no gateway, so no connections from it

    def _clean_up(self, revision: str) -> None:
        self._discovery.remove_server(revision)
        self._supervisor.stop(revision)
        shutil.rmtree(self._folder.slot(revision), ignore_errors=True)
        prefix = self._folder.shared_memory_prefix(revision)
        end_orphans(prefix)
        for leftover in triton.shared_memory_files(prefix):
            leftover.unlink(missing_ok=True)
