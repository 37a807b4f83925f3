"""Time of a pulumi command, and memory of everything that it starts."""

import time
from collections import Counter
from dataclasses import dataclass

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
    """`peak_mb` is the largest sum of resident memory, 1 MB = 10^6 bytes; `parts_mb` the largest
    value of each part, which need not be at the same moment."""

    run: Run
    seconds: float
    peak_mb: float
    parts_mb: dict[str, float]


def cost_of(command: Command, limit_seconds: float) -> Cost:
    """Watch the command until its end. Raises AssertionError with its output when it fails."""
    began = time.monotonic()
    peak, parts = 0.0, Counter[str]()
    while command.is_running and time.monotonic() - began < limit_seconds:
        now = _resident_mb(command.pid)
        peak = max(peak, sum(now.values()))
        parts |= now
        time.sleep(POLL_SECONDS)
    run = command.wait(timeout=1)
    assert run.succeeded, run.output[-5000:]
    return Cost(run, time.monotonic() - began, peak, {name: parts[name] for name in sorted(parts)})


def _resident_mb(pid: int) -> Counter[str]:
    found: Counter[str] = Counter()
    try:
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
    except psutil.Error:
        return found  # it has just ended
    for process in processes:
        try:
            line, resident = " ".join(process.cmdline()), process.memory_info().rss / 1e6
        except psutil.Error:
            continue
        part = next((name for word, name in PARTS.items() if word in line), "engine")
        found[part] += resident  # type: ignore[assignment]
    return found
