"""A running container: its process, its signals, what it leaves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster.harness.kubelet import sandbox
from tests.cluster.harness.kubelet.sandbox import ContainerProcess

SET_UP_POLL_SECONDS = 0.01


class RunningContainer:
    """Made by `start`. Ending it ends every process that it started."""

    def __init__(self, process: asyncio.subprocess.Process, environment: Mapping[str, str]) -> None:
        self._process = process
        self._environment = environment

    @classmethod
    async def start(
        cls, network_prefix: Sequence[str], container: ContainerProcess, log: Path
    ) -> RunningContainer:
        """Start it with its output in `log`; returns when its own command runs or it has ended."""
        container.scratch.mkdir(parents=True, exist_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stream:
            process = await asyncio.create_subprocess_exec(
                *sandbox.isolated(network_prefix, container),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        running = cls(process, container.environment)
        while process.returncode is None and not running._is_set_up():  # noqa: ASYNC110
            await asyncio.sleep(SET_UP_POLL_SECONDS)
        return running

    async def wait(self) -> int:
        """Exit code; negative numbers are signals."""
        return await self._process.wait()

    async def execute(self, command: Sequence[str]) -> int:
        """Run a command in the container. Returns its exit code."""
        pid = self.init_pid()
        if pid is None:
            return 1
        started = await asyncio.create_subprocess_exec(
            *sandbox.inside(pid, self._environment, command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            return await started.wait()
        finally:
            if started.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    started.kill()

    def command_inside(self, command: Sequence[str]) -> list[str]:
        """Command line that runs a command in the container. Raises ProcessLookupError."""
        pid = self.init_pid()
        if pid is None:
            raise ProcessLookupError("the container has no process")
        return sandbox.inside(pid, self._environment, command)

    async def stop(self, grace_seconds: float) -> None:
        """SIGTERM, and SIGKILL when the grace is over."""
        pid = self.init_pid()
        if pid is not None and grace_seconds > 0:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), grace_seconds)
        await self.kill()

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    def init_pid(self) -> int | None:
        """The process that is the container's first, by its number on this machine."""
        pid = self._process.pid
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            return int(children[0]) if children else None
        return None

    def _is_set_up(self) -> bool:
        """Whether the script that makes the root file system has come to its end."""
        pid = self.init_pid()
        if pid is None:
            return False
        root = Path(f"/proc/{pid}/root")
        try:
            changed = root.stat().st_dev != Path("/").stat().st_dev
            return changed and not (root / sandbox.HOST.lstrip("/")).exists()
        except OSError:
            return False
