"""Supervised jobs that outlive `pulumi up`: numbered run folders, a lease, one process."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tidegate.gate.handed_environment import ON_STDIN, as_line
from tidegate.lease import CANCEL, LEASE
from tidegate.local.supervision import Program, Restart, Supervisor

NO_CREDENTIALS: Mapping[str, str] = MappingProxyType({})


class Jobs:
    """The runs of one job, of which the latest may be running."""

    def __init__(self, folder: Path, program: str, supervisor: Supervisor) -> None:
        self._folder = folder
        self._program = program
        self._supervisor = supervisor

    def folders(self) -> list[Path]:
        """Folders of all runs, oldest first."""
        return sorted(self._folder.glob("[0-9]*"), key=lambda path: int(path.name))

    def latest(self) -> Path | None:
        """Folder of the newest run, None when the job never ran."""
        return max(self.folders(), key=lambda path: int(path.name), default=None)

    def new(self) -> Path:
        """An empty folder for the next run."""
        latest = self.latest()
        folder = self._folder / f"{int(latest.name) + 1 if latest is not None else 1:03d}"
        folder.mkdir(parents=True)
        return folder

    def renew_lease(self, run: Path) -> None:
        (run / LEASE).touch()

    async def start(
        self,
        run: Path,
        module: str,
        restart: Restart,
        stop_seconds: float,
        credentials: Mapping[str, str] = NO_CREDENTIALS,
    ) -> None:
        """Run `python -m module RUN` in a process of its own, unless it runs already.

        `credentials` are variables of its environment that must not be written down: it is told
        to read them from its standard input.
        """
        options = [ON_STDIN] if credentials else []
        program = Program(
            self._program,
            [sys.executable, "-m", module, *options, str(run)],
            restart=restart,
            stop_seconds=int(stop_seconds),
        )
        await asyncio.to_thread(self._supervisor.start, program)
        if credentials:
            await asyncio.to_thread(self._supervisor.send_line, self._program, as_line(credentials))

    def is_running(self) -> bool:
        state = self._supervisor.state(self._program)
        return state is not None and state.is_up

    def is_alive(self) -> bool:
        """Whether it runs or is about to be started again."""
        state = self._supervisor.state(self._program)
        return state is not None and (state.is_up or state.comes_back)

    def ask_to_cancel(self, run: Path) -> None:
        (run / CANCEL).touch()

    async def stop(self) -> None:
        """End the process and forget it; nothing happens when there is none."""
        await asyncio.to_thread(self._supervisor.stop, self._program)

    def log_tail(self) -> str:
        return self._supervisor.log_tail(self._program)
