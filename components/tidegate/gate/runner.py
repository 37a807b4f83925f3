"""The process that carries a gate out and outlives whoever asked for it.

`python -m tidegate.gate.runner [--environment-on-stdin] RUN_DIR` reads request.json there and
leaves journal.jsonl, samples.npz and verdict.json. Exit codes 0 to 3 are the verdict's; 4 means
stopped without a verdict, 5 that the request could not be carried out, 6 that another runner holds
RUN_DIR.
"""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from tidegate.gate.current_attempt import CurrentAttempt
from tidegate.gate.errors import AbandonedError
from tidegate.gate.evidence import evidence_path, keep_what_was_measured, write_evidence
from tidegate.gate.handed_environment import (
    ON_STDIN,
    NothingHandedOverError,
    take_environment,
)
from tidegate.gate.journal import Journal
from tidegate.gate.locking import GateTurn
from tidegate.gate.progress import Progress, format_progress
from tidegate.gate.request import GateRequest
from tidegate.gate.verdict import Verdict
from tidegate.lease import Wanted
from tidegate.spec.errors import SpecError

EXIT_STOPPED = 4
EXIT_ERROR = 5
EXIT_ALREADY_RUNNING = 6
_POLL_SECONDS = 0.2
_QUEUED_EVERY_SECONDS = 5.0
_PROGRESS_EVERY_SECONDS = 1.0


@dataclass
class _StopSignals:
    """Whether the run is still wanted: by whoever asked for it, and by the process's signals."""

    wanted: Wanted
    signalled: bool = False

    def reason(self) -> str | None:
        """ "cancelled", "leaseLost" or None."""
        return "cancelled" if self.signalled else self.wanted.stop_reason()

    def catch(self, *_: object) -> None:
        self.signalled = True


def main(arguments: list[str]) -> int:
    """Carry out the request in the folder named by the last argument."""
    options, folders = arguments[:-1], arguments[-1:]
    if not folders or options not in ([], [ON_STDIN]):
        print(f"usage: python -m tidegate.gate.runner [{ON_STDIN}] RUN_DIR", file=sys.stderr)
        return EXIT_ERROR
    run_dir = Path(folders[0])
    try:
        with FileLock(run_dir / "runner.lock", blocking=False):
            journal = Journal(run_dir / "journal.jsonl")
            try:
                if options:
                    take_environment()
                return _carry_out(run_dir, journal)
            except (SpecError, OSError, NothingHandedOverError) as error:
                journal.write("error", str(error))
                return EXIT_ERROR
            except Exception as error:
                # Python's own exit code for a traceback, 1, would read as FAIL.
                traceback.print_exc()
                journal.write("error", f"internal error: {type(error).__name__}: {error}")
                return EXIT_ERROR
            finally:
                journal.close()
    except Timeout:
        print(f"another runner holds {run_dir}", file=sys.stderr)
        return EXIT_ALREADY_RUNNING


def _carry_out(run_dir: Path, journal: Journal) -> int:
    request = GateRequest.load(run_dir / "request.json")
    verdict = _stored_verdict(run_dir / "verdict.json", request)
    if verdict is not None:
        return verdict.outcome.exit_code
    stop = _StopSignals(Wanted(run_dir, request.lease_seconds))
    signal.signal(signal.SIGTERM, stop.catch)
    signal.signal(signal.SIGINT, stop.catch)
    turn = GateTurn(Path(request.lock_path), request.revision)
    if not _wait_for(turn, journal, stop):
        return _stopped(journal, stop)
    try:
        return _decide(run_dir, request, journal, stop)
    finally:
        turn.give_back()


def _stored_verdict(path: Path, request: GateRequest) -> Verdict | None:
    if not path.exists():
        return None
    verdict = Verdict.load(path)
    decided = verdict.subject.request_digest if verdict.subject else None
    if decided != request.digest:
        raise SpecError(
            "verdict.json",
            decided,
            f"the request beside it has digest {request.digest}",
            "a run folder of its own for each request",
        )
    return verdict


def _wait_for(turn: GateTurn, journal: Journal, stop: _StopSignals) -> bool:
    """Take the machine's gate lock; False when the run is no longer wanted."""
    told = -_QUEUED_EVERY_SECONDS
    while stop.reason() is None:
        if turn.take():
            return True
        if time.monotonic() - told >= _QUEUED_EVERY_SECONDS:
            told = time.monotonic()
            other = turn.holder()
            name = other["revision"] if other else "another revision"
            journal.write("queued", f"waiting: the gate of {name} is running", holder=other)
        time.sleep(_POLL_SECONDS)
    return False


def _decide(run_dir: Path, request: GateRequest, journal: Journal, stop: _StopSignals) -> int:
    # Judging needs numpy and scipy, which whoever only waits for the machine need not load.
    from tidegate.gate.report import with_report
    from tidegate.gate.run import run

    (run_dir / "samples.npz").unlink(missing_ok=True)  # of a run that was killed
    attempt = CurrentAttempt(request)
    journal.write(
        "started",
        f"gate of {request.revision} under profile {request.profile.name}, "
        f"attempt {attempt.number}",
        pid=os.getpid(),
        requestDigest=request.digest,
        attempt=attempt.number,
    )
    try:
        verdict = run(
            request,
            run_dir,
            attempt,
            _progress_writer(journal),
            lambda: stop.reason() is not None,
        )
    except AbandonedError:
        return _stopped(journal, stop)
    verdict = verdict.model_copy(update={"evidence_path": evidence_path(request, verdict)})
    # A page that cannot be drawn is noted in the verdict and changes nothing else.
    verdict = with_report(run_dir, verdict, request.profile)
    verdict = keep_what_was_measured(request, verdict, run_dir / "samples.npz")
    path = write_evidence(request, verdict)
    attempt.end(verdict, path)
    verdict.write(run_dir / "verdict.json")
    code = verdict.outcome.exit_code
    journal.write(
        "verdict",
        verdict.summary,
        outcome=verdict.outcome,
        exitCode=code,
        evidencePath=path,
        reportPath=verdict.report_path,
    )
    return code


def _progress_writer(journal: Journal) -> Callable[[Progress], None]:
    last = -_PROGRESS_EVERY_SECONDS

    def write(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _PROGRESS_EVERY_SECONDS * 0.9:
            return
        last = now
        p95 = progress.p95_milliseconds
        journal.write(
            "progress",
            format_progress(progress),
            phase=progress.phase,
            secondsLeft=round(progress.seconds_left, 1),
            sent=progress.sent,
            done=progress.done,
            errors=progress.errors,
            p95Milliseconds=None if p95 is None or p95 == float("inf") else round(p95, 3),
            totalSeconds=round(progress.total_seconds, 1),
            planned=progress.planned,
            bounds=[each.model_dump(mode="json", by_alias=True) for each in progress.bounds],
        )

    return write


def _stopped(journal: Journal, stop: _StopSignals) -> int:
    words = {
        "cancelled": "cancelled; there is no verdict",
        "leaseLost": "nobody renewed the lease; there is no verdict",
    }
    reason = stop.reason() or "cancelled"
    journal.write(reason, words[reason])
    return EXIT_STOPPED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
