"""The try that a runner carries out, in the record of all tries."""

from collections.abc import Iterator
from contextlib import contextmanager

from tidegate.gate.attempts import (
    Attempt,
    AttemptStart,
    attempt_records,
    begin_attempt,
    next_attempt,
    record_attempt,
)
from tidegate.gate.clock import utc_now
from tidegate.gate.request import GateRequest
from tidegate.gate.verdict import Verdict
from tidegate.spec.errors import SpecError


class CurrentAttempt:
    """Nothing is recorded before `begin`; a try that sends no load costs nothing.

    Making one and `begin` raise SpecError when the attempts cannot be read or recorded.
    """

    def __init__(self, request: GateRequest) -> None:
        self._request = request
        self._start: AttemptStart | None = None
        evidence = request.evidence_dir
        with _before_any_load(evidence):
            self._expected = next_attempt(
                attempt_records(
                    evidence, request.environment, request.revision, request.profile.digest
                )
            )

    @property
    def number(self) -> int:
        """Before `begin` what it would be now; gates on other machines may take it first."""
        return self._expected if self._start is None else self._start.attempt

    def begin(self) -> int:
        """Pay for the try and return its number."""
        with _before_any_load(self._request.evidence_dir):
            self._start = begin_attempt(self._request)
        return self._start.attempt

    def end(self, verdict: Verdict, evidence_path: str) -> None:
        """Record the outcome beside the start."""
        request = self._request
        attempt = Attempt(
            attempt=self.number,
            service=request.service,
            revision=request.revision,
            profile_digest=request.profile.digest,
            request_digest=request.digest,
            outcome=verdict.outcome,
            judged_requests=verdict.counts.judged,
            at=utc_now(),
            retry_reason=request.retry_reason,
            evidence_path=evidence_path,
            started=None if self._start is None else self._start.start_id,
        )
        record_attempt(request.evidence_dir, request.environment, attempt)


@contextmanager
def _before_any_load(evidence: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SpecError(
            "evidence",
            evidence,
            f"attempts cannot be read or recorded there, so no load was sent ({error})",
            "a place that this machine reaches, and where it may list, read and create",
        ) from error
