"""One gate from the golden answers to the verdict."""

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tidegate.gate.answers import AnswerChecker
from tidegate.gate.clock import utc_now
from tidegate.gate.early_stop import hopeless
from tidegate.gate.generator import AbandonedError, LoadPlan, LoadResult, generate
from tidegate.gate.golden_check import check_golden
from tidegate.gate.judging import judge
from tidegate.gate.profile import needed_requests
from tidegate.gate.progress import OnProgress, Progress
from tidegate.gate.protocols.base import WireProtocol
from tidegate.gate.protocols.catalogue import protocols_for
from tidegate.gate.request import GateRequest, split_target
from tidegate.gate.samples import ErrorKind, Samples
from tidegate.gate.schedule import make_schedule
from tidegate.gate.server_counters import counts_since, read_counts
from tidegate.gate.statistics import attempt_confidence
from tidegate.gate.validity import Context, Problem, ServerComparison
from tidegate.gate.verdict import GoldenReport, ServerCounts, Subject, Verdict
from tidegate.spec.digests import digest_file
from tidegate.spec.golden import GoldenData, load_golden

_CONNECT_SECONDS = 2.0


@dataclass(frozen=True)
class RunResult:
    verdict: Verdict
    samples: Samples


def run(
    request: GateRequest,
    attempt: int,
    on_progress: OnProgress,
    should_stop: Callable[[], bool],
) -> RunResult:
    """Golden answers, then warm-up and load, then the verdict, without evidence.

    Raises AbandonedError when `should_stop` says so, SpecError when the golden set is unusable.
    """
    confidence = attempt_confidence(request.profile.confidence, attempt)
    context = Context(
        confidence=confidence,
        planned=0,
        subject=Subject(
            environment=request.environment,
            service=request.service,
            revision=request.revision,
            release=request.release,
            request_digest=request.digest,
            digests=request.subject_digests,
            attempt=attempt,
        ),
        started_at=utc_now(),
    )
    refusal = _refusal(request, confidence, attempt)
    if refusal is not None:
        return _judged(request, Samples.empty(), replace(context, refusal=refusal))
    golden = load_golden(Path(request.golden_path), request.signature)
    protocols = protocols_for(request.http_target, request.grpc_target, request.signature, golden)
    try:
        samples, context = _measure(request, golden, protocols, context, on_progress, should_stop)
    finally:
        for protocol in protocols:
            protocol.close()
    return _judged(request, samples, context)


def _refusal(request: GateRequest, confidence: float, attempt: int) -> Problem | None:
    """Why sending load would prove nothing."""
    changed = _changed_files(_expected_digests(request))
    if changed:
        return Problem(
            f"{', '.join(changed)} does not match the digest in the request",
            "restore the release's files, or make a new release of the changed ones",
        )
    profile = request.profile
    needed = needed_requests(profile, confidence)
    if profile.rate_per_second * profile.duration_seconds < needed:
        return Problem(
            f"attempt {attempt} has confidence {confidence:.2%} left to it, which takes "
            f"{needed} requests even without a single miss",
            f"a profile of at least {needed / profile.rate_per_second:.0f} s, or a new revision",
        )
    for target in filter(None, (request.http_target, request.grpc_target)):
        try:
            socket.create_connection(split_target(target), _CONNECT_SECONDS).close()
        except TimeoutError:
            continue  # it listens and hangs: the load decides
        except OSError as error:
            return Problem(
                f"the server is unreachable at {target} ({error.strerror})",
                "start the server, or correct the target",
            )
    return None


def _measure(
    request: GateRequest,
    golden: GoldenData,
    protocols: list[WireProtocol],
    context: Context,
    on_progress: OnProgress,
    should_stop: Callable[[], bool],
) -> tuple[Samples, Context]:
    profile, checker = request.profile, AnswerChecker(request.signature, golden, request.tolerance)
    before = _read_server(request)
    on_progress(Progress("golden", 0.0, 0, 0, 0, None))
    report = check_golden(protocols, checker, golden.count, profile.deadline_seconds, should_stop)
    if should_stop():
        raise AbandonedError
    context = replace(context, golden=report, ended_at=utc_now())
    if report.disagreements or report.other_version:
        return Samples.empty(), context
    schedule = make_schedule(profile, [protocol.code for protocol in protocols], golden.count)
    plan = LoadPlan(
        schedule=schedule,
        protocols=tuple(protocols),
        checker=checker,
        deadline_seconds=profile.deadline_seconds,
        warm_up_seconds=profile.warm_up_seconds,
        rate_per_second=profile.rate_per_second,
    )
    load = generate(plan, on_progress, should_stop, lambda samples: hopeless(samples, profile))
    planned = len(schedule) if load.stopped_early is None else len(load.samples)
    return load.samples, replace(
        context,
        planned=planned,
        server=_compare_with_server(request, before, report, load),
        cpu_seconds=load.cpu_seconds,
        wall_seconds=load.wall_seconds,
        changed_files=tuple(_changed_files(_expected_digests(request))),
        stopped_early=load.stopped_early,
        first_errors=tuple(load.first_errors.items()),
    )


def _judged(request: GateRequest, samples: Samples, context: Context) -> RunResult:
    context = replace(context, ended_at=utc_now())
    return RunResult(judge(samples, request.profile, context), samples)


def _expected_digests(request: GateRequest) -> dict[str, str]:
    return {request.golden_path: request.golden_sha256, **request.watched_files}


def _changed_files(expected: Mapping[str, str]) -> list[str]:
    return [path for path, digest in expected.items() if _digest_or_none(path) != digest]


def _digest_or_none(path: str) -> str | None:
    try:
        return digest_file(Path(path))
    except OSError:
        return None


def _read_server(request: GateRequest) -> ServerCounts | None:
    if request.metrics_target is None:
        return None
    signature = request.signature
    return read_counts(request.metrics_target, signature.name, signature.version)


def _compare_with_server(
    request: GateRequest, before: ServerCounts | None, golden: GoldenReport, load: LoadResult
) -> ServerComparison | None:
    if request.metrics_target is None:
        return None
    samples = load.samples
    answered = golden.compared + sum(
        int(np.count_nonzero(samples.kind == kind)) for kind in ErrorKind if kind.answered
    )
    sent = golden.compared + golden.unanswered + int(np.count_nonzero(~np.isnan(samples.sent)))
    counts = None
    if before is not None:
        counts = counts_since(before, lambda: _read_server(request), answered)
    return ServerComparison(counts=counts, client_sent=sent, client_answered=answered)
