"""Where the embedded platform of one stack keeps its files."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

SOCKET_PATH_BYTES = 100  # sun_path holds 108, and supervisor appends a suffix while it binds


@dataclass(frozen=True)
class StateFolder:
    """Paths of one stack. Nothing is created by asking for a path."""

    root: Path

    @property
    def supervisor(self) -> Path:
        return self.root / "supervisor"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def gateway(self) -> Path:
        return self.root / "gateway"

    @property
    def evidence(self) -> Path:
        """Verdicts and attempts; stays when everything else is destroyed."""
        return self.root / "evidence"

    @property
    def slots(self) -> Path:
        return self.root / "slots"

    def slot(self, revision: str) -> Path:
        return self.slots / revision

    @property
    def gates(self) -> Path:
        return self.root / "gates"

    def gate(self, revision: str) -> Path:
        return self.gates / revision

    @property
    def switches(self) -> Path:
        return self.root / "switches"

    def switch(self, service: str) -> Path:
        return self.switches / service

    def log(self, program: str) -> Path:
        return self.logs / f"{program}.log"

    @property
    def key(self) -> str:
        """Tells this stack's sockets and shared memory from those of other stacks."""
        return hashlib.sha256(str(self.root.resolve()).encode()).hexdigest()[:16]

    @property
    def socket(self) -> Path:
        """Supervisor's socket; in a short folder when its path would exceed the kernel's limit."""
        path = self.supervisor / "supervisor.sock"
        if len(str(path).encode()) <= SOCKET_PATH_BYTES:
            return path
        return Path("/tmp") / f"tidegate-{os.getuid()}" / f"{self.key}.sock"  # noqa: S108

    def shared_memory_prefix(self, revision: str = "") -> str:
        """Start of the names of one revision's shared memory files, or of all of the stack's."""
        return f"tidegate-{self.key}-" + (f"{revision}-" if revision else "")
