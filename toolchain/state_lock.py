"""Explains the lock that a killed update leaves in the project's file backend."""

from __future__ import annotations

import json
from pathlib import Path


def holders(backend: Path, stack: str) -> tuple[int, ...]:
    """The pids that hold a stack, off `.pulumi/locks/organization/<project>/<stack>/<id>.json`."""
    locks = backend / ".pulumi" / "locks" / "organization"
    files = sorted(locks.glob(f"*/{stack}/*.json"))
    return tuple(int(json.loads(file.read_text())["pid"]) for file in files)


def explain(pid: int, stack: str, *, alive: bool) -> str:
    """Say what to do about a lock, with the exact command."""
    if alive:
        return f"Process {pid} is updating the stack {stack}: wait until it has ended."
    return (
        f"Process {pid}, which was updating the stack {stack}, is gone and left its lock. "
        "Remove it, then run the command again:\n"
        f'  eval "$(make -s env)" && pulumi cancel --yes --stack {stack}'
    )


def hint(backend: Path, stack: str) -> str | None:
    """What to do about the stack's locks; None if there is none."""
    lines = [
        explain(pid, stack, alive=Path("/proc", str(pid)).exists())
        for pid in holders(backend, stack)
    ]
    return "\n".join(lines) or None
