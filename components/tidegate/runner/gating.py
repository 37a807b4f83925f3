"""A gate's run inside its pod: files for the child, its lease and its pool, and what it says."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tidegate.cluster.client import Cluster
from tidegate.cluster.errors import ClusterError, NotFoundError
from tidegate.cluster.leases import Leases
from tidegate.cluster.names import TERMINATION_MESSAGE
from tidegate.gate.clock import utc_now
from tidegate.gate.journal import read_events
from tidegate.gate.runner import EXIT_ERROR, EXIT_STOPPED
from tidegate.gate.verdict import Verdict
from tidegate.lease import CANCEL, LEASE
from tidegate.records.gate_documents import GateProgress, VerdictNote
from tidegate.records.gates import GOLDEN, REQUEST, GateRecords, GateRun
from tidegate.runner.beginning import once_heard
from tidegate.runner.counted_servers import CountedServers
from tidegate.runner.environment import RunnerEnvironment
from tidegate.runner.pool_turn import PoolTurn
from tidegate.runner.wanted import WantedRun

MODULE = "tidegate.gate.runner"
LEASE_SECONDS = 30.0
POLL_SECONDS = 0.5
SHOW_SECONDS = 2.0
STOP_SECONDS = 15.0


class Gating:
    """One run."""

    def __init__(self, cluster: Cluster, environment: RunnerEnvironment) -> None:
        self._cluster = cluster
        self._records = GateRecords(cluster)
        self._leases = Leases(cluster)
        self._environment = environment
        self._folder = environment.work_folder / "run"

    async def carry_out(self) -> int:
        """Exit code of the gate. Raises ClusterError when the run cannot be read."""
        name = self._environment.run
        # A gate's Job is not made again: what ends it here costs the user an `up`.
        run = await once_heard(lambda: self._records.run(name))
        if run is None:
            raise NotFoundError(f"there is no record {name} of a gate's run")
        if run.verdict is not None and run.verdict.request_digest == run.request.digest:
            self._leave(run.verdict)
            return run.verdict.outcome.exit_code
        self._write_files(run)
        seconds = run.request.lease_seconds or LEASE_SECONDS
        wanted = WantedRun(self._leases, name, self._environment.holder, seconds)
        async with wanted.watched():
            async with self._pool(wanted) as turn:
                if turn is None:
                    words = wanted.stop_reason() or "cancelled"
                    await self._show(words, f"{words} while it waited; there is no verdict")
                    return EXIT_STOPPED
                async with CountedServers(self._cluster, run.request, self._folder).told():
                    code = await self._run_child(wanted, turn)
            return await self._verdict(run, code)

    # -- the pool -----------------------------------------------------------------------------

    @asynccontextmanager
    async def _pool(self, wanted: WantedRun) -> AsyncIterator["PoolTurn | None"]:
        """The right to load the accelerator pool, for as long; None when not wanted any more."""
        where = self._environment
        leases = Leases(self._cluster, where.gate_lease_namespace)
        turn = PoolTurn(leases, where.accelerator_pool, f"{where.namespace}/{where.holder}")
        try:
            while wanted.stop_reason() is None:
                if await turn.take():
                    async with turn.kept():
                        yield turn
                    return
                await self._show("queued", f"waiting: {turn.held_by}")
                await asyncio.sleep(SHOW_SECONDS)
            yield None
        finally:
            await turn.give_back()

    # -- the child ----------------------------------------------------------------------------

    async def _run_child(self, wanted: WantedRun, turn: "PoolTurn") -> int:
        """Run the gate, as long as it is wanted and has its pool; its exit code."""
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", MODULE, str(self._folder), cwd=self._folder
        )
        ended = asyncio.ensure_future(child.wait())
        # Beside it: an API server that is silent keeps nobody from ending the child.
        shown = asyncio.create_task(self._show_events(ended))
        lost: str | None = None
        try:
            while not ended.done():
                if wanted.stop_reason() is None:
                    (self._folder / LEASE).touch()
                lost = lost or turn.why_lost()
                if wanted.stop_reason() == "cancelled" or lost is not None:
                    (self._folder / CANCEL).touch()
                await asyncio.wait([ended], timeout=POLL_SECONDS)
            await shown
            if lost is not None and ended.result() == EXIT_STOPPED:
                await self._show("cancelled", f"{lost}; there is no verdict")
        finally:
            shown.cancel()
            await _end(child, ended)
        return ended.result()

    async def _show_events(self, ended: "asyncio.Future[Any]") -> None:
        """Show the last event of the child's journal, until the one that it ends with."""
        said, offset = "", 0
        while True:
            is_last = ended.done()
            events, offset = read_events(self._folder / "journal.jsonl", offset)
            if events and events[-1]["message"] != said:
                said = str(events[-1]["message"])
                await self._show(str(events[-1]["event"]), said)
            if is_last:
                return
            await asyncio.wait([ended], timeout=SHOW_SECONDS)

    # -- documents ----------------------------------------------------------------------------

    def _write_files(self, run: GateRun) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / LEASE).touch()
        (self._folder / GOLDEN).write_bytes(run.golden)
        run.request.write(self._folder / REQUEST)

    async def _verdict(self, run: GateRun, code: int) -> int:
        """Leave the verdict behind. A verdict's code without one is a child that broke down."""
        path = self._folder / "verdict.json"
        if not path.exists():
            return code if code >= EXIT_STOPPED else EXIT_ERROR
        note = VerdictNote.of(Verdict.load(path), run.request.digest)
        self._leave(note)
        with contextlib.suppress(ClusterError):
            await self._records.end(run.name, note)
        return code

    def _leave(self, note: VerdictNote) -> None:
        # In place: a container's termination message is a mounted file.
        path: Path = self._environment.work_folder / TERMINATION_MESSAGE
        path.write_text(note.to_message(), encoding="utf-8")

    async def _show(self, event: str, message: str) -> None:
        progress = GateProgress(at=utc_now(), event=event, message=message)
        with contextlib.suppress(ClusterError):
            await self._records.show(self._environment.run, progress)


async def _end(child: asyncio.subprocess.Process, ended: "asyncio.Future[Any]") -> None:
    """Have a child that still runs stop without a verdict, and end it if it does not."""
    if ended.done():
        return
    child.terminate()
    await asyncio.wait([ended], timeout=STOP_SECONDS)
    if not ended.done():
        child.kill()
        await ended
