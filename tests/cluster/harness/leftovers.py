"""Removal of a test cluster's network: processes, namespaces, host link, in this order.

Run as a program it is the cluster's guard: it waits for the end of its standard input, which a
test process holds and which closes when that process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

NAMESPACES = Path("/run/netns")
NAME = re.compile(r"tidegate-(?P<index>\d+)-(?P<owner>\d+)(-\d+)?")
KILL_SECONDS = 10.0


@dataclass(frozen=True)
class NetworkName:
    """What names a cluster's network: its index and the process that owns it."""

    index: int
    owner: int

    @property
    def namespace(self) -> str:
        return f"tidegate-{self.index}-{self.owner}"

    @property
    def link(self) -> str:
        """The host's end of the link; its name is what two owners cannot take both."""
        return f"tidegate{self.index}"

    def namespaces(self) -> list[Path]:
        """The cluster's namespace and those of its pods."""
        return [each for each in _all_namespaces() if _owner_of(each) == self]


def remove(network: NetworkName) -> None:
    """End every process of the network, then remove it. Nothing to remove is no error."""
    namespaces = network.namespaces()
    end_processes(namespaces)
    _quietly("ip", "link", "delete", network.link)
    for namespace in namespaces:
        _quietly("ip", "netns", "delete", namespace.name)


def remove_ownerless() -> None:
    """Remove the networks whose owner is gone: a killed test run whose guard was killed too."""
    for network in {found for each in _all_namespaces() if (found := _owner_of(each))}:
        if not Path("/proc", str(network.owner)).exists():
            remove(network)


def processes_in(namespaces: Iterable[Path]) -> list[int]:
    """Process ids of everything that runs in these network namespaces."""
    wanted = set()
    for namespace in namespaces:
        with contextlib.suppress(OSError):
            wanted.add(namespace.stat().st_ino)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "ns" / "net").stat().st_ino in wanted:
                found.append(int(process.name))
    return found


def _all_namespaces() -> list[Path]:
    return sorted(NAMESPACES.iterdir()) if NAMESPACES.is_dir() else []


def _owner_of(namespace: Path) -> NetworkName | None:
    found = NAME.fullmatch(namespace.name)
    return NetworkName(int(found["index"]), int(found["owner"])) if found else None


def end_processes(namespaces: list[Path]) -> None:
    """Kill everything that runs in these network namespaces."""
    deadline = time.monotonic() + KILL_SECONDS
    while (found := processes_in(namespaces)) and time.monotonic() < deadline:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _quietly(*command: str) -> None:
    subprocess.run(command, check=False, capture_output=True)


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    sys.stdin.read()
    remove(NetworkName(int(sys.argv[1]), int(sys.argv[2])))
