"""One gate from the golden answers to the verdict."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tidegate.gate.arms import Arm, arms_of
from tidegate.gate.clock import utc_now
from tidegate.gate.context import BaselineSubject, Context, Problem, ServerComparison
from tidegate.gate.errors import AbandonedError
from tidegate.gate.golden_check import GoldenResult, check_golden
from tidegate.gate.golden_rule import golden_outcome
from tidegate.gate.judging import judge_tally
from tidegate.gate.load import LoadRequest, LoadResult, run_load
from tidegate.gate.preflight import preflight
from tidegate.gate.profile import check_baseline, needed_requests
from tidegate.gate.progress import OnProgress, Progress
from tidegate.gate.request import Baseline, GateRequest
from tidegate.gate.samples import BASELINE_ARM, CANDIDATE_ARM, ErrorKind
from tidegate.gate.server_watch import ServerWatch
from tidegate.gate.statistics import attempt_confidence
from tidegate.gate.tally import Tally
from tidegate.gate.verdict import Outcome, Subject, Verdict
from tidegate.spec.digests import digest_file

REQUESTS_PER_SECOND_AND_WORKER = 2000.0
"""Half of what one process sustains here, so that its lag stays small."""
_USERS_FROM_PER_SECOND = 1.0
"""A baseline with fewer requests than that serves nobody who could notice."""


def run(
    request: GateRequest,
    run_dir: Path,
    attempt: int,
    on_progress: OnProgress,
    should_stop: Callable[[], bool],
) -> Verdict:
    """Golden answers, then warm-up and load, then the verdict, without evidence.

    RUN_DIR/request.json must hold `request`; the samples are left in RUN_DIR/samples.npz.
    Raises AbandonedError when `should_stop` says so, SpecError when the request cannot be carried
    out: an unusable golden set, key or certificate, or a comparison that cannot be decided.
    """
    confidence = attempt_confidence(request.profile.confidence, attempt)
    baseline = request.baseline
    context = Context(
        confidence=confidence,
        planned=0,
        expected_revisions=(request.revision, None if baseline is None else baseline.revision),
        subject=_subject(request, attempt),
        started_at=utc_now(),
    )
    if baseline is not None:
        check_baseline(request.profile)
    refusal = _changed_or_too_short(request, confidence, attempt)
    if refusal is None:
        arms = arms_of(request)
        refusal = preflight(arms)
    if refusal is not None:
        return _verdict(request, Tally(request.profile), replace(context, refusal=refusal))
    return _Run(request, run_dir, arms, context, on_progress, should_stop).measure()


class _Run:
    def __init__(
        self,
        request: GateRequest,
        run_dir: Path,
        arms: Sequence[Arm],
        context: Context,
        on_progress: OnProgress,
        should_stop: Callable[[], bool],
    ) -> None:
        self._request, self._run_dir, self._arms = request, run_dir, arms
        self._context = context
        self._confidence = context.confidence or request.profile.confidence
        self._on_progress, self._should_stop = on_progress, should_stop
        self._watches = [ServerWatch(arm) for arm in arms]

    def measure(self) -> Verdict:
        request, profile = self._request, self._request.profile
        factors = self._rate_factors()
        self._on_progress(Progress("golden", 0.0, 0, 0, 0, None))
        results = [self._ask_golden(arm) for arm in self._arms]
        if self._should_stop():
            raise AbandonedError
        golden = results[CANDIDATE_ARM].report
        # Answers that are their own measure show nothing about being right.
        shown = None if request.golden_is_recorded and golden.complete else golden
        context = replace(self._context, golden=shown, ended_at=utc_now())
        if request.baseline is not None:
            rate = profile.rate_per_second * factors[BASELINE_ARM]
            context = replace(
                context,
                baseline=BaselineSubject(request.baseline.revision, request.baseline.why, rate),
            )
            problem = _baseline_problem(request.baseline.revision, results[BASELINE_ARM])
            if problem is not None:
                context = replace(context, refusal=problem)
        refused = golden_outcome(golden, profile, self._confidence) is Outcome.FAIL
        if refused or golden.other_version or context.refusal is not None:
            return _verdict(request, Tally(profile), context)
        agreeing = None
        if profile.min_top1_agreement is not None:
            agreeing = results[CANDIDATE_ARM].agreeing
        load = run_load(
            LoadRequest(
                run_dir=self._run_dir,
                profile=profile,
                arms=self._arms,
                rate_factors=factors,
                agreeing=agreeing,
                workers=request.workers
                or workers_for(profile.rate_per_second * sum(factors.values())),
                confidence=self._confidence,
                watch=self._look_at_servers,
            ),
            self._on_progress,
            self._should_stop,
        )
        return _verdict(request, load.tally, self._with_load(context, load, results))

    def _ask_golden(self, arm: Arm) -> GoldenResult:
        protocols = arm.protocols()
        try:
            return check_golden(
                protocols,
                arm.checker(),
                arm.golden.count,
                self._request.profile.deadline_seconds,
                self._should_stop,
            )
        finally:
            for protocol in protocols:
                protocol.close()

    def _rate_factors(self) -> dict[int, float]:
        """The baseline's rate is capped when it serves users, and when the request says so."""
        factors = {CANDIDATE_ARM: 1.0}
        baseline = self._request.baseline
        if baseline is not None:
            rate = self._request.profile.rate_per_second
            users = self._watches[BASELINE_ARM].users_rate()
            factors[BASELINE_ARM] = baseline_rate(rate, baseline, users) / rate
        return factors

    def _look_at_servers(self) -> None:
        for watch in self._watches:
            watch.look()

    def _with_load(
        self, context: Context, load: LoadResult, results: Sequence[GoldenResult]
    ) -> Context:
        comparisons: list[ServerComparison | None] = [
            watch.compare(*_client_counts(load.tally, arm.code, result))
            for watch, arm, result in zip(self._watches, self._arms, results, strict=True)
        ]
        watched = [watch for watch in self._watches if watch.is_watched]
        return replace(
            context,
            planned=load.planned,
            server=comparisons[CANDIDATE_ARM],
            baseline_server=comparisons[BASELINE_ARM] if len(comparisons) > 1 else None,
            cpu_seconds=load.cpu_seconds,
            wall_seconds=load.wall_seconds,
            generator_cpu_shares=load.cpu_shares,
            changed_files=tuple(_changed_files(_expected_digests(self._request))),
            clock_steps_seconds=load.clock_steps_seconds,
            server_restarted=any(watch.restarted for watch in watched) if watched else None,
            workers=load.workers,
            stopped_early=load.stopped_early,
            aborted=load.aborted,
            first_errors=tuple(load.first_errors.items()),
        )


def workers_for(rate_per_second: float) -> int:
    """Generator processes for a rate, one core left to the server at least."""
    cores = max(1, (os.cpu_count() or 1) - 1)
    return max(1, min(cores, round(rate_per_second / REQUESTS_PER_SECOND_AND_WORKER)))


def baseline_rate(rate: float, baseline: Baseline, users: float | None) -> float:
    """Requests per second for a baseline that gets `users` requests per second from others.

    None: its counters are unknown, or nobody counts.
    """
    if baseline.max_rate_per_second is not None:
        rate = min(rate, baseline.max_rate_per_second)
    if users is None or users < _USERS_FROM_PER_SECOND:
        return rate
    return min(rate, users * baseline.max_share / (1.0 - baseline.max_share))


def _subject(request: GateRequest, attempt: int) -> Subject:
    return Subject(
        environment=request.environment,
        service=request.service,
        revision=request.revision,
        release=request.release,
        request_digest=request.digest,
        digests=request.subject_digests,
        attempt=attempt,
    )


def _changed_or_too_short(request: GateRequest, confidence: float, attempt: int) -> Problem | None:
    """Why sending load would prove nothing, from the request alone."""
    changed = _changed_files(_expected_digests(request))
    if changed:
        return Problem(
            f"{', '.join(changed)} does not match the digest in the request",
            "restore the release's files, or make a new release of the changed ones",
        )
    profile = request.profile
    needed = needed_requests(profile, confidence)
    if profile.expected_judged_requests < needed:
        return Problem(
            f"attempt {attempt} has confidence {confidence:.2%} left to it, which takes "
            f"{needed} requests even without a single miss",
            f"a profile of at least {needed / profile.rate_per_second:.0f} s, or a new revision",
        )
    return None


def _baseline_problem(revision: str, result: GoldenResult) -> Problem | None:
    report = result.report
    wrong = report.disagreements + report.other_version
    if not wrong and report.complete:
        return None
    return Problem(
        f"the baseline {revision} answered {wrong} golden examples wrongly and {report.unanswered} "
        f"not at all; first: {report.first_difference}",
        "compare with a revision that works, or leave the baseline out",
    )


def _client_counts(tally: Tally, arm: int, golden: GoldenResult) -> tuple[int, int]:
    """Requests sent and answered by the server, golden answers included."""
    counts, errors = tally.counts(arm), tally.errors_by_kind(arm)
    unanswered = sum(errors.get(kind.label, 0) for kind in ErrorKind if not kind.answered)
    report = golden.report
    return (
        counts.sent + report.compared + report.unanswered,
        counts.sent - unanswered + report.compared,
    )


def _verdict(request: GateRequest, tally: Tally, context: Context) -> Verdict:
    return judge_tally(tally, request.profile, replace(context, ended_at=utc_now()))


def _expected_digests(request: GateRequest) -> dict[str, str]:
    expected = {request.golden_path: request.golden_sha256, **request.watched_files}
    baseline = request.baseline
    if baseline is not None and baseline.golden_path and baseline.golden_sha256:
        expected[baseline.golden_path] = baseline.golden_sha256
    return expected


def _changed_files(expected: Mapping[str, str]) -> list[str]:
    return [path for path, digest in expected.items() if _digest_or_none(path) != digest]


def _digest_or_none(path: str) -> str | None:
    try:
        return digest_file(Path(path))
    except OSError:
        return None
