"""Every try at a gate, append-only per environment, so that trying until it passes shows."""

import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from tidegate.gate.document import Document
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


def attempts_path(evidence_dir: Path, environment: str) -> Path:
    return evidence_dir / f"attempts-{environment}.jsonl"


def record_attempt(evidence_dir: Path, environment: str, attempt: Attempt) -> None:
    """Append durably; earlier lines are never touched."""
    evidence_dir.mkdir(parents=True, exist_ok=True)
    line = attempt.model_dump_json(by_alias=True) + "\n"
    with attempts_path(evidence_dir, environment).open("a", encoding="utf-8") as stream:
        stream.write(line)
        stream.flush()
        os.fsync(stream.fileno())


def attempts_of(
    evidence_dir: Path, environment: str, revision: str, profile_digest: str
) -> list[Attempt]:
    """Earlier tries of a revision under one profile, oldest first.

    Raises SpecError when the record is damaged: a lost attempt would give its error budget back.
    """
    path = attempts_path(evidence_dir, environment)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            attempt = Attempt.model_validate_json(line)
        except ValueError:
            raise SpecError(
                f"{path}: line {number}",
                line,
                "it is no attempt, so the error budget left is unknown",
                "the line as it was written, or a repaired file",
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
