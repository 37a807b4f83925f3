"""Whether a job is still wanted by whoever asked for it."""

import time
from pathlib import Path
from typing import Literal

LEASE = "lease"
CANCEL = "cancel"


class Wanted:
    """A job's folder: somebody renews `lease` there, and makes `cancel` to end the job.

    `lease_seconds` is how old the lease may become; it counts from the start of this process, so
    that a job that was started again can be found. None: nobody has to renew it.
    """

    def __init__(self, run_dir: Path, lease_seconds: float | None) -> None:
        self._run_dir = run_dir
        self._lease_seconds = lease_seconds
        self._started = time.time()

    def stop_reason(self) -> Literal["cancelled", "leaseLost"] | None:
        """Why the job should stop, None while it is wanted."""
        if (self._run_dir / CANCEL).exists():
            return "cancelled"
        if self._lease_seconds is not None and self._lease_age() > self._lease_seconds:
            return "leaseLost"
        return None

    def _lease_age(self) -> float:
        try:
            renewed = (self._run_dir / LEASE).stat().st_mtime
        except FileNotFoundError:
            renewed = self._started
        return time.time() - max(renewed, self._started)
