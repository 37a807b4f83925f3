"""Time of a pulumi command, and processor time and memory of everything that it starts."""

import time
from collections import Counter
from dataclasses import dataclass, field

import psutil

from tests.engine.harness.command import Command, Run

POLL_SECONDS = 0.1
PARTS = {
    "pulumi-resource-tidegate": "provider",
    "pulumi-resource-kubernetes": "kubernetesProvider",
    "pulumi-language-python-exec": "program",
    "pulumi-language-python": "languageHost",
}
"""What a command line holds → the part it is; the first that fits. The rest is the engine."""


@dataclass(frozen=True)
class Cost:
    """What one command took, 1 MB = 10^6 bytes.

    `parts_cpu_seconds` is the processor time of its processes, each as last seen. `peak_mb` is the
    largest sum of resident memory; `parts_mb` the largest value of each part, which need not be at
    the same moment.
    """

    run: Run
    seconds: float
    parts_cpu_seconds: dict[str, float]
    peak_mb: float
    parts_mb: dict[str, float]

    @property
    def cpu_seconds(self) -> float:
        return sum(self.parts_cpu_seconds.values())


@dataclass
class _Watch:
    peak_mb: float = 0.0
    parts_mb: dict[str, float] = field(default_factory=dict)
    cpu_seconds: dict[int, tuple[str, float]] = field(default_factory=dict)
    """Process id → its part, and its processor time so far."""

    def look(self, pid: int) -> None:
        now: Counter[str] = Counter()
        for process in _tree(pid):
            try:
                line, resident = " ".join(process.cmdline()), process.memory_info().rss / 1e6
                times = process.cpu_times()
            except psutil.Error:
                continue  # it has just ended
            part = next((name for word, name in PARTS.items() if word in line), "engine")
            now[part] += resident  # type: ignore[assignment]
            self.cpu_seconds[process.pid] = part, times.user + times.system
        self.peak_mb = max(self.peak_mb, sum(now.values()))
        for part, resident in now.items():
            self.parts_mb[part] = max(self.parts_mb.get(part, 0.0), resident)

    def parts_cpu_seconds(self) -> dict[str, float]:
        found: Counter[str] = Counter()
        for part, seconds in self.cpu_seconds.values():
            found[part] += seconds  # type: ignore[assignment]
        return {name: found[name] for name in sorted(found)}


def cost_of(command: Command, limit_seconds: float) -> Cost:
    """Watch the command until its end. Raises AssertionError with its output when it fails."""
    began, watch = time.monotonic(), _Watch()
    while command.is_running and time.monotonic() - began < limit_seconds:
        watch.look(command.pid)
        time.sleep(POLL_SECONDS)
    run = command.wait(timeout=1)
    assert run.succeeded, run.output[-5000:]
    return Cost(
        run=run,
        seconds=time.monotonic() - began,
        parts_cpu_seconds=watch.parts_cpu_seconds(),
        peak_mb=watch.peak_mb,
        parts_mb={name: watch.parts_mb[name] for name in sorted(watch.parts_mb)},
    )


def _tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []
