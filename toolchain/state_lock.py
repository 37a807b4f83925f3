"""Explains the lock that a killed update leaves in the project's file backend."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StateLock:
    """Who holds a stack, as Pulumi wrote it."""

    pid: int
    hostname: str


def read(backend: Path, stack: str) -> tuple[StateLock, ...]:
    """The locks on a stack: `.pulumi/locks/organization/<project>/<stack>/<id>.json`."""
    folders = (backend / ".pulumi" / "locks").glob(f"**/{stack}")
    files = (file for folder in folders for file in sorted(folder.glob("*.json")))
    return tuple(parse(file.read_text()) for file in files)


def parse(text: str) -> StateLock:
    """Read one lock file."""
    written = json.loads(text)
    return StateLock(pid=int(written["pid"]), hostname=str(written.get("hostname", "")))


def explain(lock: StateLock, stack: str, *, alive: bool) -> str:
    """Say what to do about a lock, with the exact command."""
    if alive:
        return f"Process {lock.pid} is updating the stack {stack}: wait until it has ended."
    return (
        f"Process {lock.pid}, which was updating the stack {stack}, is gone and left its lock. "
        "Remove it, then run the command again:\n"
        f'  eval "$(make -s env)" && pulumi cancel --yes --stack {stack}'
    )


def hint(backend: Path, stack: str) -> str | None:
    """What to do about the stack's locks; None if there is none."""
    lines = [
        explain(lock, stack, alive=Path("/proc", str(lock.pid)).exists())
        for lock in read(backend, stack)
    ]
    return "\n".join(lines) or None
