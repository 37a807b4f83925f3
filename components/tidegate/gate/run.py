"""One gate from the golden answers to the verdict."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tidegate.gate.arms import Arm, arms_of
from tidegate.gate.before_load import changed_files, files_changed, of_attempt
from tidegate.gate.clock import utc_now
from tidegate.gate.context import BaselineSubject, Context, Problem, ServerComparison
from tidegate.gate.current_attempt import CurrentAttempt
from tidegate.gate.errors import AbandonedError
from tidegate.gate.golden_check import GoldenResult, check_golden
from tidegate.gate.golden_rule import golden_outcome
from tidegate.gate.judging import judge_tally
from tidegate.gate.load import run_load
from tidegate.gate.load_request import LoadRequest, LoadResult
from tidegate.gate.preflight import preflight
from tidegate.gate.profile import check_baseline
from tidegate.gate.progress import OnProgress, Progress
from tidegate.gate.rates import baseline_rate, workers_for
from tidegate.gate.request import GateRequest
from tidegate.gate.samples import BASELINE_ARM, CANDIDATE_ARM, ErrorKind
from tidegate.gate.server_watch import ServerWatch
from tidegate.gate.statistics import attempt_confidence
from tidegate.gate.tally import Tally
from tidegate.gate.verdict import Outcome, Verdict


def run(
    request: GateRequest,
    run_dir: Path,
    attempt: CurrentAttempt,
    on_progress: OnProgress,
    should_stop: Callable[[], bool],
) -> Verdict:
    """Golden answers, then warm-up and load, then the verdict, without evidence.

    RUN_DIR/request.json must hold `request`; the samples are left in RUN_DIR/samples.npz. The
    attempt begins just before the load, and not when there is a reason to send none.
    Raises AbandonedError when `should_stop` says so, SpecError when the request cannot be carried
    out: an unusable golden set, key or certificate, or a comparison that cannot be decided.
    """
    baseline = request.baseline
    context = Context(
        planned=0,
        expected_revisions=(request.revision, None if baseline is None else baseline.revision),
        started_at=utc_now(),
    )
    context = of_attempt(context, request, attempt.number)
    if baseline is not None:
        check_baseline(request.profile)
    refusal = files_changed(request) or context.refusal
    if refusal is None:
        arms = arms_of(request)
        refusal = preflight(arms)
    if refusal is not None:
        return _verdict(request, Tally(request.profile), replace(context, refusal=refusal))
    return _Run(request, run_dir, arms, context, attempt, on_progress, should_stop).measure()


class _Run:
    def __init__(
        self,
        request: GateRequest,
        run_dir: Path,
        arms: Sequence[Arm],
        context: Context,
        attempt: CurrentAttempt,
        on_progress: OnProgress,
        should_stop: Callable[[], bool],
    ) -> None:
        self._request, self._run_dir, self._arms = request, run_dir, arms
        self._context, self._attempt = context, attempt
        self._on_progress, self._should_stop = on_progress, should_stop
        self._watches = [ServerWatch(arm, run_dir) for arm in arms]

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
        confidence = attempt_confidence(profile.confidence, self._attempt.number)
        refused = golden_outcome(golden, profile, confidence) is Outcome.FAIL
        if refused or golden.other_version or context.refusal is not None:
            return _verdict(request, Tally(profile), context)
        context = of_attempt(context, request, self._attempt.begin())
        if context.refusal is not None:  # other tries took the numbers before it meanwhile
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
                confidence=attempt_confidence(profile.confidence, self._attempt.number),
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
            changed_files=tuple(changed_files(self._request)),
            clock_steps_seconds=load.clock_steps_seconds,
            server_restarted=any(watch.restarted for watch in watched) if watched else None,
            servers_gone=tuple(name for watch in watched for name in watch.gone),
            workers=load.workers,
            stopped_early=load.stopped_early,
            aborted=load.aborted,
            first_errors=tuple(load.first_errors.items()),
        )


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
