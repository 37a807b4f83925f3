"""A conductor's records on their way to the API server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tidegate.cluster.errors import ClusterError
from tidegate.records.switch_journal import journal_line
from tidegate.records.switches import SwitchRecords
from tidegate.runner.beside import running_beside
from tidegate.traffic.conductor_parts import Snapshot
from tidegate.traffic.switch_documents import Decision, SwitchProgress

FLUSH_SECONDS = 1.0


class BufferedRecords:
    """Implements `tidegate.traffic.conductor_parts.Records`.

    A conductor's calls return at once; `flush` writes what they left. Whoever moves traffic
    flushes before, so that a process that goes on for this one knows what it may have set.
    """

    def __init__(
        self,
        records: SwitchRecords,
        service: str,
        run: str,
        reference: Sequence[Snapshot],
    ) -> None:
        self._records = records
        self._service = service
        self._run = run
        self._reference = tuple(reference)
        self._is_reference_new = False
        self._decision: Decision | None = None
        self._progress: SwitchProgress | None = None
        self._lines: list[dict[str, object]] = []
        self._writing = asyncio.Lock()

    def note(self, event: str, message: str, **details: object) -> None:
        self._lines.append(journal_line(event, message, **details))

    def show(self, progress: SwitchProgress) -> None:
        self._progress = progress

    def keep_decision(self, decision: Decision) -> None:
        self._decision = decision

    def keep_reference(self, before: Sequence[Snapshot]) -> None:
        self._reference = tuple(before)
        self._is_reference_new = True

    def reference(self) -> Sequence[Snapshot]:
        return self._reference

    async def flush(self) -> None:
        """Write what is not written yet. Raises ClusterError, and keeps it then."""
        async with self._writing:
            if (decision := self._decision) is not None:
                await self._records.keep_decision(self._run, decision)
                self._decision = None if self._decision is decision else self._decision
            if self._is_reference_new:
                reference = self._reference
                await self._records.keep_reference(self._run, reference)
                self._is_reference_new = self._reference is not reference
            if (progress := self._progress) is not None:
                await self._records.show(self._run, progress)
                self._progress = None if self._progress is progress else self._progress
            if lines := tuple(self._lines):
                await self._records.append(self._service, lines)
                del self._lines[: len(lines)]

    @asynccontextmanager
    async def flushing(self) -> AsyncIterator[None]:
        """Flush every FLUSH_SECONDS as far as the API server answers."""
        async with running_beside(self._keep_flushing()):
            yield

    async def _keep_flushing(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            with contextlib.suppress(ClusterError):
                await self.flush()
