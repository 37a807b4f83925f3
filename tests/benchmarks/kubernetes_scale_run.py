"""Stacks of many services on one cluster, run by our program and by one by hand in turn."""

import asyncio
import json
import os
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Namespace

from tests.benchmarks.figure import spread
from tests.benchmarks.kubernetes_by_hand import STACK, ByHand
from tests.benchmarks.kubernetes_pretended_gateway import PretendedGateway
from tests.benchmarks.kubernetes_program_cost import Cost, cost_of
from tests.benchmarks.stacks import say
from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.many_services import ManyServices, PretendedJobs, pretended_pool
from tests.cluster.project import ClusterProject
from tests.engine.harness.command import Command

POOL = "pretended"
OWN, BY_HAND, NOT_WAITING = "own", "byHand", "byHandNotWaiting"
MOST_WITHOUT_WAITING = 10
"""Stacks up to this size are brought up by a program that waits for no server as well."""
MOST_SECONDS = 1800.0
CHANGES = 3
SETTINGS_FILE = "settings.json"
SETTINGS_FROM_FILE = f"""
import os
import runpy
from pathlib import Path

infra = Path(__file__).resolve().parent
os.environ["PULUMI_CONFIG"] = (infra.parent / "{SETTINGS_FILE}").read_text(encoding="utf-8")
runpy.run_path(str(infra / "program.py"))
"""
"""Pulumi hands settings over in one variable of the environment, which holds 128 KiB on Linux."""
PREVIEW = ("preview",)
UP = ("up", "--yes", "--skip-preview")


class Pulumi(Protocol):
    """A project that can be run."""

    def start(self, *arguments: str) -> Command: ...


@dataclass(frozen=True)
class Program:
    name: str
    project: Pulumi
    stack: str


@dataclass
class Costs:
    """One command on one size, by all programs in turn; program → one cost for each round."""

    command: str
    services: int
    of: dict[str, list[Cost]] = field(default_factory=dict)
    state_kb: dict[str, float] = field(default_factory=dict)
    """Of the stack's state when it was up, by program; every step writes all of it."""
    load_average: list[float] = field(default_factory=list)
    """Of the machine over a minute, after each command."""

    def times(self, attribute: str, program: str) -> float:
        """How many times the other program's `seconds`, `cpu_seconds` or `peak_mb`; median."""
        pairs = zip(self.of[OWN], self.of[program], strict=True)
        ratios: list[float] = [
            getattr(own, attribute) / getattr(other, attribute) for own, other in pairs
        ]
        return statistics.median(ratios)

    def most_times(self, attribute: str) -> float:
        """Against the program by hand that does best."""
        return max(self.times(attribute, each) for each in self.others)

    @property
    def others(self) -> list[str]:
        return [name for name in self.of if name != OWN]

    @property
    def seconds(self) -> float:
        """Median of our own."""
        return statistics.median(each.seconds for each in self.of[OWN])

    @property
    def detail(self) -> dict[str, Any]:
        return {
            "timesSlowerThan": self._ratios("seconds"),
            "timesTheCpuOf": self._ratios("cpu_seconds"),
            "timesTheMemoryOf": self._ratios("peak_mb"),
            **{name: _detail(costs) for name, costs in self.of.items()},
            "stateKilobytes": self.state_kb,
            "loadAverage": spread(self.load_average),
        }

    def _ratios(self, attribute: str) -> dict[str, float]:
        return {each: round(self.times(attribute, each), 3) for each in self.others}


class Stacks:
    """The same services by each program, each in a namespace of its own."""

    def __init__(self, cluster: KubernetesCluster, folder: Path, size: int) -> None:
        self._cluster, self._size = cluster, size
        self._namespace = f"scale-{size}"
        client = cluster.client()
        for each in (self._namespace, *self._others()):
            client.create(Namespace(metadata=ObjectMeta(name=each)))
        say(f"  {size} services: publishing their releases")
        project = ClusterProject(folder / f"own-{size}", cluster, self._namespace)
        # As installed packages have it: modules are compiled once, not by every command.
        project.environment.pop("PYTHONDONTWRITEBYTECODE", None)
        project.environment["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
        names = tuple(f"service-{number}" for number in range(size))
        self._services = ManyServices(project, POOL, names)
        self._services.publish()
        self._platform = project.platform
        self._platform["kubernetes"]["pools"][POOL] = pretended_pool(POOL)
        self._project = project
        program = project.root / "infra" / "__main__.py"
        program.rename(program.with_name("program.py"))
        program.write_text(SETTINGS_FROM_FILE, encoding="utf-8")
        project.declare({})
        self._declare(self._services.settings())
        self._by_hand, self._not_waiting = (
            ByHand(folder / each, project, each, self._services, waits=waits)
            for each, waits in zip(self._others(), (True, False), strict=True)
        )
        self._own = Program(OWN, project, "test")
        self._programs = (self._own, Program(BY_HAND, self._by_hand, STACK))

    def previews(self, rounds: int) -> Costs:
        costs = Costs("preview", self._size)
        if rounds > 1:
            # Once for nothing: it compiles the modules of a new project.
            self._run(Costs("first preview", self._size), PREVIEW, self._programs)
        for number in range(rounds):
            self._run(costs, PREVIEW, _in_turn(self._programs, number))
        return costs

    def ups(self) -> Iterator[Costs]:
        """The first `up`, and then those that change one service."""
        asyncio.run(self._services.pass_gates())
        up = Costs("up", self._size)
        jobs = PretendedJobs(self._cluster, self._namespace, self._services.names)
        with jobs, PretendedGateway(self._cluster, self._namespace):
            programs: tuple[Program, ...] = self._programs
            if self._size <= MOST_WITHOUT_WAITING:
                programs = (*programs, Program(NOT_WAITING, self._not_waiting, STACK))
            self._run(up, UP, programs)
            up.state_kb = {
                OWN: _state_kb(self._project.root),
                BY_HAND: _state_kb(self._by_hand.root),
            }
            yield up
            yield self._changes()

    def _changes(self) -> Costs:
        """Another timeout for one service's requests: an `up` that updates one resource."""
        costs, service = Costs("change", self._size), self._services.names[0]
        for number in range(CHANGES):
            seconds = 20 + number
            settings = self._services.settings()
            settings[service] = {**settings[service], "requestTimeoutSeconds": seconds}
            self._declare(settings)
            self._by_hand.declare({service: seconds})
            self._run(costs, UP, _in_turn(self._programs, number))
            for each in costs.of.values():
                assert each[-1].run.changes, each[-1].run.output[-5000:]
        return costs

    def _declare(self, services: Mapping[str, Any]) -> None:
        values = {"tidegate:platform": self._platform, "tidegate:services": services}
        config = {key: json.dumps(value) for key, value in values.items()}
        (self._project.root / SETTINGS_FILE).write_text(json.dumps(config), encoding="utf-8")

    def _run(self, costs: Costs, arguments: Sequence[str], programs: Sequence[Program]) -> None:
        for program in programs:
            with _ended(program.project.start(*arguments, "--stack", program.stack)) as command:
                cost = cost_of(command, MOST_SECONDS)
            assert "unknown field" not in cost.run.output, "the API server dropped something"
            costs.of.setdefault(program.name, []).append(cost)
            costs.load_average.append(os.getloadavg()[0])
            parts = {name: round(each) for name, each in cost.parts_cpu_seconds.items()}
            say(
                f"  {costs.command} of {costs.services}, {program.name}: {cost.seconds:.1f} s, "
                f"{cost.cpu_seconds:.1f} s of processors {parts}, {cost.peak_mb:.0f} MB"
            )

    def _others(self) -> tuple[str, str]:
        """Namespaces of the programs by hand: the one that waits for servers, the one that not."""
        return f"by-hand-{self._size}", f"not-waiting-{self._size}"


@contextmanager
def _ended(command: Command) -> Iterator[Command]:
    """The command does not outlive whoever waits for it."""
    try:
        yield command
    finally:
        if command.is_running:
            command.interrupt()
            command.wait(timeout=60)


def _in_turn(programs: Sequence[Program], number: int) -> Sequence[Program]:
    """Every second round begins with the other program."""
    return programs if number % 2 == 0 else programs[::-1]


def _state_kb(root: Path) -> float:
    (state,) = (root / "backend" / ".pulumi" / "stacks").rglob("*.json")
    return round(state.stat().st_size / 1000, 1)


def _detail(costs: Sequence[Cost]) -> Mapping[str, Any]:
    return {
        "seconds": spread([each.seconds for each in costs]),
        "cpuSeconds": spread([each.cpu_seconds for each in costs]),
        "peakMegabytes": spread([each.peak_mb for each in costs]),
        "partsCpuSeconds": {name: round(s, 1) for name, s in costs[-1].parts_cpu_seconds.items()},
        "partsMegabytes": {name: round(mb) for name, mb in costs[-1].parts_mb.items()},
    }
