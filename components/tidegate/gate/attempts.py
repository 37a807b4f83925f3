"""Every try at a gate, append-only per environment, so that trying until it passes shows.

A try that sends load is recorded twice: when its load begins, which takes its number and pays for
it, and when it has a verdict. Whatever ends it in between, it stays paid for: a cancelled or
killed try looks the same whether or not somebody had seen its bounds.
"""

import secrets
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, TypeAdapter

from tidegate.gate.clock import utc_now
from tidegate.gate.document import Document
from tidegate.gate.evidence_store import LogMovedError, open_store
from tidegate.gate.request import GateRequest
from tidegate.gate.verdict import Outcome
from tidegate.spec.errors import SpecError


class AttemptStart(Document):
    """A try whose load begins. `start_id` is random, so that no two starts are alike."""

    start_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    attempt: int = Field(ge=1)
    service: str
    revision: str
    profile_digest: str
    request_digest: str
    at: str
    retry_reason: str | None


class Attempt(Document):
    """One finished gate. `judged_requests` is 0 when no load was judged.

    `started` is the `start_id` of its record of the beginning; None when no load was sent.
    """

    attempt: int = Field(ge=1)
    service: str
    revision: str
    profile_digest: str
    request_digest: str
    outcome: Outcome
    judged_requests: int
    at: str
    retry_reason: str | None
    evidence_path: str
    started: str | None = None


AttemptRecord = AttemptStart | Attempt
_RECORD: TypeAdapter[AttemptRecord] = TypeAdapter(AttemptRecord)


def attempts_log(environment: str) -> str:
    """Name of an environment's log in an evidence store."""
    return f"attempts-{environment}"


def attempts_path(evidence_dir: Path, environment: str) -> Path:
    """Where a folder keeps that log."""
    return evidence_dir / f"{attempts_log(environment)}.jsonl"


def begin_attempt(request: GateRequest) -> AttemptStart:
    """Take the number of the next try of a request's series, durably, before its load begins.

    Of two that begin at once, on whatever machines, each gets a number of its own. Raises
    SpecError when the record is damaged, OSError when the store cannot be reached.
    """
    store, log = open_store(request.evidence_dir), attempts_log(request.environment)
    while True:
        lines = store.lines(log)
        series = _series(lines, store.locate(log), request.revision, request.profile.digest)
        start = AttemptStart(
            start_id=secrets.token_hex(16),
            attempt=next_attempt(series),
            service=request.service,
            revision=request.revision,
            profile_digest=request.profile.digest,
            request_digest=request.digest,
            at=utc_now(),
            retry_reason=request.retry_reason,
        )
        try:
            store.append(log, start.model_dump_json(by_alias=True), after=len(lines))
        except LogMovedError:
            continue  # another try was recorded meanwhile, and may have taken this number
        return start


def record_attempt(evidence: str | Path, environment: str, attempt: Attempt) -> None:
    """Append durably to the log in a folder or bucket; earlier lines are never touched."""
    line = attempt.model_dump_json(by_alias=True)
    open_store(evidence).append(attempts_log(environment), line)


def attempt_records(
    evidence: str | Path, environment: str, revision: str, profile_digest: str
) -> list[AttemptRecord]:
    """Starts and ends of the tries of a revision under one profile, oldest first.

    Raises SpecError when the record is damaged: a lost attempt would give its error budget back.
    """
    store, log = open_store(evidence), attempts_log(environment)
    return _series(store.lines(log), store.locate(log), revision, profile_digest)


def attempts_of(
    evidence: str | Path, environment: str, revision: str, profile_digest: str
) -> list[Attempt]:
    """The finished ones among `attempt_records`."""
    return finished(attempt_records(evidence, environment, revision, profile_digest))


def attempts_in(lines: Sequence[str]) -> list[Attempt]:
    """The finished ones among the lines of a log, of every revision and profile."""
    return finished([_RECORD.validate_json(line) for line in lines])


def finished(records: Sequence[AttemptRecord]) -> list[Attempt]:
    """Without the starts."""
    return [record for record in records if isinstance(record, Attempt)]


def next_attempt(series: Sequence[AttemptRecord]) -> int:
    """The number of the next try in its series.

    A try is spent from its start on; one that ended without a judged request gets it back. A PASS
    ends a series: judging a revision again that was removed and added is no try to get another
    answer, and begins with the whole budget.
    """
    given_back = {each.started for each in finished(series) if each.judged_requests == 0}
    number = 1
    for record in series:
        if isinstance(record, AttemptStart):
            number += record.start_id not in given_back
        elif record.outcome is Outcome.PASS:
            number = 1
    return number


def _series(
    lines: Sequence[str], place: str, revision: str, profile_digest: str
) -> list[AttemptRecord]:
    found: list[AttemptRecord] = []
    for number, line in enumerate(lines, start=1):
        try:
            record = _RECORD.validate_json(line)
        except ValueError:
            raise SpecError(
                f"{place}: line {number}",
                line,
                "it is no attempt, so the error budget left is unknown",
                "the line as it was written, or a repaired record",
            ) from None
        if record.revision == revision and record.profile_digest == profile_digest:
            found.append(record)
    return found
