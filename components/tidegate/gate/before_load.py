"""Why sending load would prove nothing, from the request and the files alone."""

from dataclasses import replace
from pathlib import Path

from tidegate.gate.context import Context, Problem
from tidegate.gate.profile import needed_requests
from tidegate.gate.request import GateRequest
from tidegate.gate.statistics import attempt_confidence
from tidegate.gate.verdict import Subject
from tidegate.spec.digests import digest_file


def of_attempt(context: Context, request: GateRequest, attempt: int) -> Context:
    """With the confidence left to an attempt, and refused when the profile is too short for it."""
    profile = request.profile
    confidence = attempt_confidence(profile.confidence, attempt)
    subject = Subject(
        environment=request.environment,
        service=request.service,
        revision=request.revision,
        release=request.release,
        request_digest=request.digest,
        digests=request.subject_digests,
        attempt=attempt,
    )
    needed = needed_requests(profile, confidence)
    refusal = None
    if profile.expected_judged_requests < needed:
        refusal = Problem(
            f"attempt {attempt} has confidence {confidence:.2%} left to it, which takes "
            f"{needed} requests even without a single miss",
            f"a profile of at least {needed / profile.rate_per_second:.0f} s, or a new revision",
        )
    return replace(context, confidence=confidence, subject=subject, refusal=refusal)


def files_changed(request: GateRequest) -> Problem | None:
    """A problem when a file has another digest than the request says."""
    changed = changed_files(request)
    if not changed:
        return None
    return Problem(
        f"{', '.join(changed)} does not match the digest in the request",
        "restore the release's files, or make a new release of the changed ones",
    )


def _expected_digests(request: GateRequest) -> dict[str, str]:
    expected = {request.golden_path: request.golden_sha256, **request.watched_files}
    baseline = request.baseline
    if baseline is not None and baseline.golden_path and baseline.golden_sha256:
        expected[baseline.golden_path] = baseline.golden_sha256
    return expected


def changed_files(request: GateRequest) -> list[str]:
    """Paths whose content is not what the request says, or cannot be read."""
    expected = _expected_digests(request)
    return [path for path, digest in expected.items() if _digest_or_none(path) != digest]


def _digest_or_none(path: str) -> str | None:
    try:
        return digest_file(Path(path))
    except OSError:
        return None
