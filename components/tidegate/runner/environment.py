"""What a Job's container is told by its environment."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tidegate.cluster import names
from tidegate.spec.errors import SpecError


@dataclass(frozen=True)
class RunnerEnvironment:
    """`holder` is what this process is called in leases: the Job and the process of it."""

    namespace: str
    run: str
    holder: str
    work_folder: Path
    accelerator_pool: str | None
    gate_lease_namespace: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "RunnerEnvironment":
        """Raises SpecError for a variable that is missing."""
        job = environment.get(names.JOB_VARIABLE) or "process"
        namespace = _needed(environment, names.NAMESPACE_VARIABLE)
        return cls(
            namespace=namespace,
            run=_needed(environment, names.RUN_VARIABLE),
            holder=f"{job}/{socket.gethostname()}/{os.getpid()}",
            work_folder=Path(environment.get(names.WORK_FOLDER_VARIABLE) or names.WORK_FOLDER),
            accelerator_pool=environment.get(names.ACCELERATOR_POOL_VARIABLE) or None,
            gate_lease_namespace=environment.get(names.GATE_LEASE_NAMESPACE_VARIABLE) or namespace,
        )


def _needed(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        raise SpecError(name, value, "the runner does not know what to carry out", f"{name}=…")
    return value
