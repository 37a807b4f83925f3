"""The lock of a stack, as pulumi speaks of it when another update holds it."""

import re
import socket
from dataclasses import dataclass
from typing import Self

import psutil

REFUSALS = (
    "the stack is currently locked",  # file and bucket backends
    "Another update is currently in progress",  # Pulumi Cloud
)
HOLDER = re.compile(r"created by (?P<who>\S+)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<at>\S+)")


@dataclass(frozen=True)
class StackLock:
    """Who holds a stack, in words; `is_stale` when it is a process of this machine and gone."""

    holder: str
    is_stale: bool

    @classmethod
    def read(cls, said: str) -> Self | None:
        """The lock that pulumi's standard error tells of; None when it tells of none."""
        if not any(each in said for each in REFUSALS):
            return None
        found = HOLDER.search(said)
        if found is None:
            return cls("somebody", is_stale=False)
        here = found["host"] == socket.gethostname()
        return cls(
            f"{found['who']}@{found['host']} (pid {found['pid']}) since {found['at']}",
            is_stale=here and not psutil.pid_exists(int(found["pid"])),
        )
