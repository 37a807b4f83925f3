"""Every try at a gate, append-only per environment, so that trying until it passes shows."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from tidegate.gate.document import Document
from tidegate.gate.evidence_store import open_store
from tidegate.gate.verdict import Outcome
from tidegate.spec.errors import SpecError


class Attempt(Document):
    """One finished gate. `judged_requests` is 0 when no load was judged."""

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


def attempts_log(environment: str) -> str:
    """Name of an environment's log in an evidence store."""
    return f"attempts-{environment}"


def attempts_path(evidence_dir: Path, environment: str) -> Path:
    """Where a folder keeps that log."""
    return evidence_dir / f"{attempts_log(environment)}.jsonl"


def record_attempt(evidence: str | Path, environment: str, attempt: Attempt) -> None:
    """Append durably to the log in a folder or bucket; earlier lines are never touched."""
    line = attempt.model_dump_json(by_alias=True)
    open_store(evidence).append(attempts_log(environment), line)


def attempts_of(
    evidence: str | Path, environment: str, revision: str, profile_digest: str
) -> list[Attempt]:
    """Earlier tries of a revision under one profile, oldest first.

    Raises SpecError when the record is damaged: a lost attempt would give its error budget back.
    """
    store, log = open_store(evidence), attempts_log(environment)
    found = []
    for number, line in enumerate(store.lines(log), start=1):
        try:
            attempt = Attempt.model_validate_json(line)
        except ValueError:
            raise SpecError(
                f"{store.locate(log)}: line {number}",
                line,
                "it is no attempt, so the error budget left is unknown",
                "the line as it was written, or a repaired record",
            ) from None
        if attempt.revision == revision and attempt.profile_digest == profile_digest:
            found.append(attempt)
    return found


def next_attempt(earlier: Sequence[Attempt]) -> int:
    """The number of the next try in its series.

    Tries that judged no load have spent nothing. A PASS ends a series: judging a revision again
    that was removed and added is no try to get another answer, and begins with the whole budget.
    """
    number = 1
    for attempt in earlier:
        if attempt.outcome is Outcome.PASS:
            number = 1
        elif attempt.judged_requests > 0:
            number += 1
    return number
