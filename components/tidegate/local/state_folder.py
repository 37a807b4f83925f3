"""Where the embedded platform of one stack keeps its files."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path


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

    def log(self, program: str) -> Path:
        return self.logs / f"{program}.log"

    @property
    def key(self) -> str:
        """Tells this stack's sockets and shared memory from those of other stacks."""
        return hashlib.sha256(str(self.root.resolve()).encode()).hexdigest()[:16]

    @property
    def socket(self) -> Path:
        """Supervisor's socket: in the runtime folder, because socket paths end at 107 bytes."""
        return runtime_folder() / f"{self.key}.sock"

    def shared_memory_prefix(self, revision: str = "") -> str:
        """Start of the names of one revision's shared memory files, or of all of the stack's."""
        return f"tidegate-{self.key}-" + (f"{revision}-" if revision else "")


def runtime_folder() -> Path:
    """This user's folder for sockets and locks, shared by all stacks of the machine."""
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    folder = Path(base) / f"tidegate-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
