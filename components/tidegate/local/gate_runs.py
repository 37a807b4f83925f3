"""Gates of the embedded platform: each runs as a supervised job that outlives `pulumi up`."""

import json
import os
import secrets
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tidegate.files import read_json, write_json
from tidegate.gate.handed_environment import environment_for
from tidegate.gate.journal import read_events
from tidegate.gate.request import GateRequest
from tidegate.gate.verdict import Outcome, Verdict
from tidegate.local.jobs import Jobs
from tidegate.local.state_folder import StateFolder
from tidegate.local.supervision import Supervisor
from tidegate.local.waiting import Report, Sleep

LEASE_SECONDS = 30.0
POLL_SECONDS = 0.2
STOP_SECONDS = 15.0


class GateRunError(Exception):
    """The runner ended without a verdict; the message says why."""


@dataclass(frozen=True)
class GateRun:
    """One run of a revision's gate."""

    folder: Path
    request: GateRequest | None

    @property
    def verdict(self) -> Verdict | None:
        path = self.folder / "verdict.json"
        return Verdict.load(path) if path.exists() else None


class GateRuns:
    """The gates of one stack, one folder per revision.

    A folder's nonce is made with the gate resource and goes with its deletion: a release that was
    removed and added again has another nonce and no verdict.
    """

    def __init__(self, folder: StateFolder, supervisor: Supervisor) -> None:
        self._folder = folder
        self._supervisor = supervisor

    def ensure(self, revision: str) -> str:
        """Nonce of the revision's gate, made when there is none."""
        path = self._folder.gate(revision) / "gate.json"
        data = read_json(path)
        if data is None:
            data = {
                "nonce": secrets.token_hex(8),
                "createdAt": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            write_json(path, data)
        return str(data["nonce"])

    def exists(self, revision: str) -> bool:
        return (self._folder.gate(revision) / "gate.json").exists()

    def latest(self, revision: str) -> GateRun | None:
        """The newest run, None when the gate never ran."""
        folder = self._jobs(revision).latest()
        return _run(folder) if folder is not None else None

    def decided(self, revision: str) -> GateRun | None:
        """The newest run with a verdict, which stands: one that was interrupted decides nothing."""
        runs = (_run(folder) for folder in reversed(self._jobs(revision).folders()))
        return next((run for run in runs if run.verdict is not None), None)

    def passing(self, revision: str) -> Verdict | None:
        """The verdict PASS of this gate, None when it has none."""
        run = self.decided(revision)
        verdict = run.verdict if run is not None else None
        return verdict if verdict is not None and verdict.outcome is Outcome.PASS else None

    def is_running(self, revision: str) -> bool:
        """Whether a runner works on the revision's latest run."""
        return self._jobs(revision).is_running()

    async def submit(self, request: GateRequest) -> GateRun:
        """Start a new run in a process of its own."""
        jobs = self._jobs(request.revision)
        folder = jobs.new()
        request.write(folder / "request.json")
        jobs.renew_lease(folder)
        await jobs.start(
            folder,
            "tidegate.gate.runner",
            "never",
            STOP_SECONDS,
            environment_for(request.evidence_dir, os.environ),
        )
        return GateRun(folder, request)

    async def follow(self, run: GateRun, revision: str, sleep: Sleep, report: Report) -> Verdict:
        """Renew the lease and pass on progress until the verdict.

        Raises GateRunError when the runner ends without one, and whatever `sleep` raises.
        """
        offset = 0
        last_event: dict[str, Any] = {}
        while True:
            self._jobs(revision).renew_lease(run.folder)
            events, offset = read_events(run.folder / "journal.jsonl", offset)
            for last_event in events:
                report(str(last_event["message"]))
            verdict = run.verdict
            if verdict is not None:
                return verdict
            if not self.is_running(revision):
                if (verdict := run.verdict) is not None:
                    return verdict
                events, offset = read_events(run.folder / "journal.jsonl", offset)
                raise GateRunError(
                    self._why_it_ended(revision, events[-1] if events else last_event)
                )
            await sleep(POLL_SECONDS)

    async def cancel(self, revision: str) -> None:
        """Ask a running gate to stop without a verdict, and end it if it does not."""
        jobs, run = self._jobs(revision), self.latest(revision)
        if run is not None and jobs.is_running():
            jobs.ask_to_cancel(run.folder)
        await jobs.stop()

    async def remove(self, revision: str) -> None:
        """Forget the gate, its nonce and its runs. Evidence and attempts stay."""
        await self.cancel(revision)
        shutil.rmtree(self._folder.gate(revision), ignore_errors=True)

    def revisions(self) -> list[str]:
        return sorted(path.parent.name for path in self._folder.gates.glob("*/gate.json"))

    def _why_it_ended(self, revision: str, event: dict[str, Any]) -> str:
        if event.get("event") in {"error", "cancelled", "leaseLost"}:
            return str(event["message"])
        tail = self._jobs(revision).log_tail()
        said = f" after saying {json.dumps(event['message'])}" if event else ""
        return f"the gate's runner ended without a verdict{said}; its log ends with:\n{tail}"

    def _jobs(self, revision: str) -> Jobs:
        runs = self._folder.gate(revision) / "runs"
        return Jobs(runs, f"gate-{revision}", self._supervisor)


def _run(folder: Path) -> GateRun:
    path = folder / "request.json"
    return GateRun(folder, GateRequest.load(path) if path.exists() else None)
