"""Processes and ports that belong to one project folder."""

import os
from collections.abc import Collection
from pathlib import Path

import psutil

from tidegate.local.ports import SERVER_PORTS


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
    return {
        connection.laddr[1]
        for connection in psutil.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN and connection.pid in pids
    }


def listened_ports(ports: Collection[int]) -> set[int]:
    """Those of `ports` on which anybody listens."""
    return {
        connection.laddr[1]
        for connection in psutil.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr[1] in ports
    }


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


__all__ = ["SERVER_PORTS", "kill_all", "listened_ports", "listening", "processes_of"]
