"""Processes and ports that belong to one project folder."""

import os
from collections.abc import Collection
from pathlib import Path

import psutil


def processes_of(folder: Path) -> list[psutil.Process]:
    """Processes whose command line or working directory lies in the folder, this one excepted."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), process.cwd()]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(str(folder) in word for word in words):
            found.append(process)
    return found


def listening(pids: Collection[int]) -> set[int]:
    """Ports on which one of the processes listens."""
    return {port for port, pid in _listeners() if pid in pids}


def listened_ports(ports: Collection[int]) -> set[int]:
    """Those of `ports` on which anybody listens."""
    return {port for port, _ in _listeners() if port in ports}


def _listeners() -> list[tuple[int, int | None]]:
    return [
        (connection.laddr.port, connection.pid)
        for connection in psutil.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr
    ]


def kill_all(folder: Path) -> list[str]:
    """End what is left of a project, each by its pid; returns the command lines."""
    left = processes_of(folder)
    names = []
    for process in left:
        try:
            names.append(" ".join(process.cmdline()))
            process.kill()
        except psutil.Error:
            continue
    psutil.wait_procs(left, timeout=10)
    return names
