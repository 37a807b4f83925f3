"""One gate at a time: two load tests on one machine would measure each other."""

import json
import os
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tidegate.gate.clock import utc_now


def default_lock_path() -> Path:
    """The lock that all of a user's gates on this machine share."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "tidegate" / "gate.lock"


class GateTurn:
    """The lock, with a note beside it that says who holds it.

    The operating system frees the lock when its holder dies; the note may then be stale.
    """

    def __init__(self, path: Path, revision: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path)
        self._note = path.with_name(path.name + ".holder")
        self._revision = revision

    def take(self) -> bool:
        """Take the lock if it is free."""
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            return False
        note = {"revision": self._revision, "pid": os.getpid(), "since": utc_now()}
        self._note.write_text(json.dumps(note), encoding="utf-8")
        return True

    def give_back(self) -> None:
        self._note.unlink(missing_ok=True)
        self._lock.release()

    def holder(self) -> dict[str, Any] | None:
        """revision, pid and since of the holder, as far as it has said so."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return note if isinstance(note, dict) else None
