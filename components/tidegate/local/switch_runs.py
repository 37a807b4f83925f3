"""Switches that take their time: each runs as a supervised job that outlives `pulumi up`."""

import asyncio
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tidegate.local.jobs import Jobs
from tidegate.local.state_folder import StateFolder
from tidegate.local.supervision import Supervisor
from tidegate.local.switch_folder import SwitchFolder
from tidegate.local.switch_records import OUTCOME, PROGRESS, REQUEST
from tidegate.local.waiting import Report, Sleep
from tidegate.traffic.switch_documents import (
    SwitchOutcome,
    SwitchProgress,
    SwitchRequest,
)
from tidegate.traffic.switch_history import PastSwitch, SwitchPlan, standing_turn_back

MODULE = "tidegate.local.switch_runner"
LEASE_SECONDS = 15.0
POLL_SECONDS = 0.2
STOP_SECONDS = 10.0
GONE_SECONDS = 3.0
"""Supervisor starts a conductor that was killed within a second or two. One that is gone for so
long has lost its supervisor, or has failed too often."""
STARTS = 3
"""So often is it started from here then."""
CANCEL_SECONDS = 60.0
"""Beside the drain: the router may be silent for 30 s, and the former revision unhealthy."""


class SwitchRunError(Exception):
    """The conductor ended without an outcome; the message says why."""


@dataclass(frozen=True)
class SwitchRun:
    """One run of a service's switch."""

    folder: Path
    request: SwitchRequest

    @property
    def progress(self) -> SwitchProgress | None:
        path = self.folder / PROGRESS
        return SwitchProgress.load(path) if path.exists() else None

    @property
    def outcome(self) -> SwitchOutcome | None:
        path = self.folder / OUTCOME
        return SwitchOutcome.load(path) if path.exists() else None


class SwitchRuns:
    """The switches of one stack, one folder per service."""

    def __init__(self, folder: StateFolder, supervisor: Supervisor) -> None:
        self._folder = folder
        self._supervisor = supervisor

    def folder(self, service: str) -> SwitchFolder:
        return SwitchFolder(self._folder, service)

    def folders(self) -> list[SwitchFolder]:
        """Those of every service that ever switched here."""
        paths = sorted(self._folder.switches.glob("*/"))
        return [SwitchFolder(self._folder, path.name) for path in paths]

    def newest_first(self, service: str) -> Iterator[SwitchRun]:
        """Every run of the service."""
        for folder in reversed(self._jobs(service).folders()):
            if (folder / REQUEST).exists():
                yield SwitchRun(folder, SwitchRequest.load(folder / REQUEST))

    def latest(self, service: str) -> SwitchRun | None:
        return next(self.newest_first(service), None)

    def unfinished(self, service: str) -> SwitchRun | None:
        """The run that has no outcome yet, whether or not its process is there."""
        run = self.latest(service)
        return run if run is not None and run.outcome is None else None

    def standing_turn_back(
        self, service: str, revision: str, retry: str | None
    ) -> SwitchOutcome | None:
        """The revision's last run, when it was shown to be worse and no new reason is given.

        A revision that has finished a switch since then is free of it.
        """
        if self.folder(service).has_served(revision):
            return None
        past = (PastSwitch(run.request, run.outcome) for run in self.newest_first(service))
        return standing_turn_back(past, revision, retry)

    async def submit(self, service: str, plan: SwitchPlan, user: str) -> SwitchRun:
        """Start a new run in a process of its own."""
        jobs = self._jobs(service)
        folder = jobs.new()
        request = SwitchRequest(
            service=service,
            run=int(folder.name),
            from_revision=plan.from_revision,
            to_revision=plan.to_revision,
            routes_before=plan.routes_before,
            stages=plan.stages,
            strategy=plan.strategy,
            drain_seconds=plan.drain_seconds,
            lease_seconds=LEASE_SECONDS,
            state_folder=str(self._folder.root),
            retry_reason=plan.retry_reason,
        )
        request.write(folder / REQUEST)
        words = f"a switch from {plan.from_revision} to {plan.to_revision} was asked for"
        self.folder(service).note("submitted", words, run=request.run, user=user)
        run = SwitchRun(folder, request)
        await self._start(jobs, run)
        return run

    async def follow(self, run: SwitchRun, sleep: Sleep, report: Report) -> SwitchOutcome:
        """Renew the lease and pass on progress until the outcome.

        A conductor that is not there is started again. Raises SwitchRunError when it does not
        stay, and whatever `sleep` raises.
        """
        jobs = self._jobs(run.request.service)
        await self._start(jobs, run)
        return await self._wait(jobs, run, sleep, report, renew=True)

    async def cancel(self, run: SwitchRun, report: Report) -> SwitchOutcome:
        """Have the conductor turn back, and wait until it has. Raises SwitchRunError."""
        jobs = self._jobs(run.request.service)
        jobs.ask_to_cancel(run.folder)
        await self._start(jobs, run)
        limit = CANCEL_SECONDS + run.request.drain_seconds
        deadline = time.monotonic() + limit

        async def sleep(seconds: float) -> None:
            if time.monotonic() > deadline:
                raise SwitchRunError(self._did_not(jobs, f"turn back within {limit:g} s"))
            await asyncio.sleep(seconds)

        return await self._wait(jobs, run, sleep, report, renew=False)

    async def remove(self, service: str, report: Report) -> None:
        """Forget the service's runs and who served. The journal stays."""
        run = self.unfinished(service)
        if run is not None:
            await self.cancel(run, report)
        await self._jobs(service).stop()
        folder = self.folder(service)
        shutil.rmtree(folder.runs, ignore_errors=True)
        folder.forget_everyone()

    async def _start(self, jobs: Jobs, run: SwitchRun) -> None:
        jobs.renew_lease(run.folder)
        await jobs.start(run.folder, MODULE, "on-failure", STOP_SECONDS)

    async def _wait(
        self, jobs: Jobs, run: SwitchRun, sleep: Sleep, report: Report, *, renew: bool
    ) -> SwitchOutcome:
        said, gone_since, starts = "", None, 0
        while True:
            if renew:
                jobs.renew_lease(run.folder)
            outcome, progress = run.outcome, run.progress
            if progress is not None and progress.message != said:
                said = progress.message
                report(said)
            if outcome is not None:
                break
            now = time.monotonic()
            gone_since = None if jobs.is_alive() else gone_since or now
            if gone_since is not None and now - gone_since > GONE_SECONDS:
                if starts == STARTS:
                    words = (
                        "stay up, and leaves the routes as they are. Mend what ends it and run "
                        "`pulumi up` again, which goes on from there"
                    )
                    raise SwitchRunError(self._did_not(jobs, words))
                report("starting the conductor again")
                await self._start(jobs, run)
                gone_since, starts = None, starts + 1
            await sleep(POLL_SECONDS)
        await jobs.stop()
        return outcome

    def _did_not(self, jobs: Jobs, what: str) -> str:
        return f"the conductor did not {what}; its log ends with:\n{jobs.log_tail()}"

    def _jobs(self, service: str) -> Jobs:
        return Jobs(self.folder(service).runs, f"switch-{service}", self._supervisor)
