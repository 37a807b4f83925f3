"""Ports on loopback: who holds one, and which are free."""

import socket
from collections.abc import Collection
from contextlib import closing
from typing import Self

import psutil

LOOPBACK = "127.0.0.1"
ADDRESSES_WITH_LOOPBACK = frozenset({LOOPBACK, "0.0.0.0", "::"})  # noqa: S104  # compared only
SERVER_PORTS = range(18000, 19000)
"""Below Linux's default ephemeral range (32768 and up), so that no client takes one by chance."""


class NoFreePortError(Exception):
    """Every port of the range is taken."""


def is_free(port: int) -> bool:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def holder(port: int) -> str | None:
    """The process that listens on the port as "name (pid N)"; None when the port is free."""
    return None if is_free(port) else _describe(holder_pid(port))


def holder_pid(port: int) -> int | None:
    """Process id of the listener, None when there is none or it is not ours to see."""
    for connection in psutil.net_connections(kind="tcp"):
        address = connection.laddr
        if connection.status != psutil.CONN_LISTEN or not address:
            continue
        if address.port == port and address.ip in ADDRESSES_WITH_LOOPBACK:
            return connection.pid
    return None


def listens(pid: int, port: int) -> bool:
    """Whether this very process listens on the port.

    An answer from the port alone may come from another stack's server that was faster.
    """
    try:
        connections = psutil.Process(pid).net_connections(kind="tcp")
    except psutil.Error:
        return False
    return any(
        connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
        for connection in connections
    )


class Reservations:
    """Ports that servers will listen on soon, kept from every other stack of the machine.

    A server takes its ports seconds after they were found free; without a reservation a second
    stack finds the same ones free, and both servers end. A reservation is a bound name in Linux'
    abstract socket namespace: it belongs to the network namespace as ports do, and the operating
    system frees it when its holder dies.
    """

    def __init__(self) -> None:
        self._held: dict[int, socket.socket] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._held.values():
            name.close()
        self._held.clear()

    def take(self, port: int) -> bool:
        """Reserve the port if it is free and nobody else has reserved it."""
        if port not in self._held:
            name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                name.bind(f"\0tidegate-port-{port}")
            except OSError:
                name.close()
                return False
            self._held[port] = name
        if is_free(port):
            return True
        self._held.pop(port).close()
        return False

    def find(self, count: int, taken: Collection[int], offset: int) -> list[int]:
        """Reserve `count` free ports that are not in `taken`. Raises `NoFreePortError`.

        The search begins `offset` ports into the range, so that stacks seldom meet.
        """
        found: list[int] = []
        begin = offset % len(SERVER_PORTS)
        for port in (*SERVER_PORTS[begin:], *SERVER_PORTS[:begin]):
            if port not in taken and self.take(port):
                found.append(port)
                if len(found) == count:
                    return found
        raise NoFreePortError(
            f"no {count} free ports between {SERVER_PORTS.start} and {SERVER_PORTS.stop - 1} "
            "on 127.0.0.1; stop what listens there"
        )


def _describe(pid: int | None) -> str:
    if pid is None:
        return "a process of another user"
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.NoSuchProcess:
        return f"pid {pid}"
