"""A stack of the embedded platform whose servers are stand-ins inside the test's process.

Files, records, Envoy's admin client and the router are the real ones.
"""

import json
import os
import re
import secrets
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.unit.provider.conductor_stand_in import ConductorStandIn
from tidegate.files import read_json
from tidegate.gate.verdict import Counts, GeneratorHealth, Outcome, Verdict
from tidegate.local.gate_runs import GateRuns
from tidegate.local.gateway import PROGRAM, Gateway
from tidegate.local.ports import is_free
from tidegate.local.slots import Slots
from tidegate.local.stack import LocalStack
from tidegate.local.state_folder import StateFolder
from tidegate.local.supervision import ProcessState, Program, Supervisor
from tidegate.local.switch_runs import SwitchRuns
from tidegate.provider.handler import Operation
from tidegate.traffic.envoy.clusters import UpstreamServer
from tidegate.traffic.envoy.discovery import DiscoveryFiles

Query = dict[str, list[str]]
Answer = Callable[[str, Query], tuple[int, Any]]
Stop = Callable[[], None]
TEST_PORTS, WORKERS = range(20000, 32000), 16


class StackOnStandIns(LocalStack):
    """`envoy`, `triton` and `conductor` say how the stand-ins behave; `verdicts` are what gates
    decide next."""

    def __init__(self, folder: StateFolder) -> None:
        self.folder = folder
        self.supervisor: InProcessSupervisor = InProcessSupervisor(folder, self._launch)
        self.gateway = Gateway(folder, self.supervisor)
        self.slots = Slots(folder, self.supervisor, self.gateway.discovery, self.gateway.admin)
        self.gates = GateRuns(folder, self.supervisor)
        self.switches = SwitchRuns(folder, self.supervisor)
        self.envoy = EnvoyStandIn(self.gateway.discovery)
        self.triton = TritonStandIn()
        self.conductor = ConductorStandIn(self.gateway.discovery)
        self.verdicts: list[Outcome] = []

    def end(self) -> None:
        self.supervisor.shut_down()

    async def start_gateway(self, *revisions: str, services: tuple[str, ...] = ("digits",)) -> None:
        port, admin_port = free_ports(2)
        operation = Operation()
        await self.gateway.start(
            port, admin_port, revisions, services, operation.sleep, operation.status
        )

    def add_server(self, revision: str) -> None:
        """A healthy server that the gateway knows."""
        self.gateway.discovery.put_server(
            UpstreamServer("digits", revision, "127.0.0.1", 18001, 18002, "/ready", 1.0)
        )

    def decide(self, revision: str, outcome: Outcome) -> None:
        """Record a finished gate of the revision."""
        self.gates.ensure(revision)
        folder = self.folder.gate(revision) / "runs" / "001"
        folder.mkdir(parents=True)
        make_verdict(outcome).write(folder / "verdict.json")

    def _launch(self, program: Program) -> Stop:
        if program.name == PROGRAM:
            command = list(program.command)
            bootstrap = read_json(Path(command[command.index("--config-path") + 1]))
            assert bootstrap is not None
            port = bootstrap["admin"]["address"]["socket_address"]["port_value"]
            return serve(port, self.envoy.answer)
        if program.name.startswith("switch-"):
            return self.conductor.start(Path(program.command[-1]))
        if program.name.startswith("gate-"):
            if self.verdicts:
                verdict = make_verdict(self.verdicts.pop(0))
                verdict.write(Path(program.command[-1]) / "verdict.json")
            return lambda: None
        (port,) = (
            int(each.removeprefix("--http-port="))
            for each in program.command
            if each.startswith("--http-port=")
        )
        return serve(port, self.triton.answer)


class InProcessSupervisor(Supervisor):
    """Launches stand-ins where supervisor would start programs."""

    def __init__(self, folder: StateFolder, launch: Callable[[Program], Stop]) -> None:
        super().__init__(folder)
        self._launch = launch
        self._stops: dict[str, Stop] = {}
        self.programs: dict[str, Program] = {}
        self.started: list[str] = []
        self.lines: dict[str, str] = {}
        """What programs were sent on their standard input."""
        self.ended: set[str] = set()
        """Programs that have ended by themselves."""
        self.was_shut_down = False

    def is_running(self) -> bool:
        return not self.was_shut_down

    def runs(self, program: Program) -> bool:
        return self.programs.get(program.name) == program and program.name not in self.ended

    def start(self, program: Program) -> None:
        if self.runs(program):
            return
        self.stop(program.name)
        self._stops[program.name] = self._launch(program)
        self.programs[program.name] = program
        self.started.append(program.name)

    def send_line(self, name: str, line: str) -> None:
        self.lines[name] = line

    def stop(self, name: str) -> None:
        if self.programs.pop(name, None) is not None:
            self._stops.pop(name)()

    def states(self) -> dict[str, ProcessState]:
        return {
            name: ProcessState(name, "EXITED" if name in self.ended else "RUNNING", os.getpid(), 0)
            for name in self.programs
        }

    def shut_down(self) -> None:
        for name in list(self.programs):
            self.stop(name)
        self.was_shut_down = True


class EnvoyStandIn:
    """Answers tidegate's admin requests from the files that Envoy would watch."""

    def __init__(self, discovery: DiscoveryFiles) -> None:
        self._discovery = discovery
        self.accepts_routes = True
        self.unhealthy: set[str] = set()
        self.in_flight: dict[str, int] = {}
        self.users_a_look: dict[str, int] = {}
        """Requests of users that each look at a revision's counters finds more."""
        self._users_requests: dict[str, int] = {}
        self.rejected_versions: list[str] = []
        self._refused_files: set[tuple[int, int]] = set()
        self._served: Any = None

    @property
    def weights(self) -> dict[str, int]:
        """HTTP clusters and their weights as served."""
        routes = self._served["resources"][0]["virtual_hosts"][0]["routes"]
        return {
            cluster["name"].removesuffix("-http"): cluster["weight"]
            for route in routes
            if "path_separated_prefix" in route["match"] and "cluster" not in route["route"]
            for cluster in route["route"]["weighted_clusters"]["clusters"]
        }

    def answer(self, path: str, query: Query) -> tuple[int, Any]:
        self._watch()
        match path:
            case "/ready":
                return 200, "LIVE\n"
            case "/config_dump":
                if self._served is None:
                    return 200, {}
                version = self._served["version_info"]
                route_config = {"name": self._served["resources"][0]["name"]}
                return 200, {"configs": [{"version_info": version, "route_config": route_config}]}
            case "/clusters":
                return 200, {"cluster_statuses": [self._status(each) for each in self._clusters()]}
            case "/stats":
                for revision, count in self.users_a_look.items():
                    self._users_requests[revision] = self._users_requests.get(revision, 0) + count
                pattern = re.compile(query["filter"][0])
                stats = [
                    {"name": name, "value": value}
                    for name, value in self._stats().items()
                    if pattern.search(name)
                ]
                return 200, {"stats": stats}
            case "/drain_listeners":
                return 200, "OK\n"
        return 404, "unknown"

    def _watch(self) -> None:
        content = read_json(self._discovery.routes_file)
        if content is None or content == self._served:
            return
        # A file is read once; one that was refused is not read again before it is replaced.
        file = self._discovery.routes_file.stat()
        key = (file.st_ino, file.st_mtime_ns)
        if key in self._refused_files:
            return
        if self.accepts_routes:
            self._served = content
        else:
            self._refused_files.add(key)
            self.rejected_versions.append(content["version_info"])

    def _clusters(self) -> list[str]:
        content = read_json(self._discovery.clusters_file) or {"resources": []}
        return [each["name"] for each in content["resources"]]

    def _status(self, cluster: str) -> Any:
        health: dict[str, Any] = {"eds_health_status": "HEALTHY"}
        if cluster.rpartition("-")[0] in self.unhealthy:
            health["failed_active_health_check"] = True
        return {"name": cluster, "host_statuses": [{"health_status": health}]}

    def _stats(self) -> dict[str, int]:
        in_flight = {
            f"cluster.{revision}-http.upstream_rq_active": count
            for revision, count in self.in_flight.items()
        }
        users = {
            f"users.requests.cluster.{revision}-http.route.unary.status.200.grpc.-.flags.-": count
            for revision, count in self._users_requests.items()
        }
        return {
            **users,
            "http.gateway.rds.services.update_rejected": len(self.rejected_versions),
            "http.gateway.rds.services.update_failure": 0,
            "http.gateway.downstream_rq_active": sum(self.in_flight.values()),
            **in_flight,
        }


class TritonStandIn:
    """Reports its models as ready, or not."""

    def __init__(self) -> None:
        self.ready = True

    def answer(self, path: str, query: Query) -> tuple[int, Any]:
        return (200 if self.ready and path.endswith("/ready") else 400), ""


def serve(port: int, answer: Answer) -> Stop:
    """Serve HTTP on loopback in a thread; returns what ends it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            status, content = answer(parts.path, parse_qs(parts.query))
            body = (content if isinstance(content, str) else json.dumps(content)).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop


def free_ports(count: int) -> list[int]:
    """Ports that stay free until they are listened on.

    They lie below those that clients take by chance, and no other of pytest's workers finds them.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    ports = TEST_PORTS[worker::WORKERS]
    found: list[int] = []
    while len(found) < count:
        port = secrets.choice(ports)
        if port not in found and is_free(port):
            found.append(port)
    return found


def make_verdict(outcome: Outcome) -> Verdict:
    return Verdict(
        outcome=outcome,
        summary=f"{outcome.value}: p95 is 12 ms, SLO 50 ms",
        reasons=("the first reason",),
        mend=(),
        validity="full",
        quantiles=(),
        error_rate=None,
        errors_by_kind={},
        first_errors={},
        golden=None,
        counts=Counts(
            planned=1, sent=1, done=1, errored=0, judged=1, by_protocol={"http": 1}, server=None
        ),
        generator=GeneratorHealth(
            lag_p99_milliseconds=1.0,
            lag_limit_milliseconds=5.0,
            cpu_share=None,
            cpu_microseconds_per_request=None,
        ),
        stopped_early=None,
        confidence=0.95,
        profile="quick",
        profile_digest="sha256:" + "0" * 64,
        seed=1,
        subject=None,
        evidence_path="/evidence/1.json",
        started_at=None,
        ended_at=None,
    )


class Said:
    """What an operation reported."""

    def __init__(self) -> None:
        self.status: list[str] = []
        self.info: list[str] = []
        self.warnings: list[str] = []
        self.operation = Operation(self.status.append, self.info.append, self.warnings.append)
