"""Writes down what was found: the verdict with its reasons and every number behind them."""

import math
from dataclasses import dataclass

from tidegate.gate.comparison import RESAMPLES
from tidegate.gate.conditions import (
    Conditions,
    Confidences,
    RatioCondition,
    ShareCondition,
    finite,
)
from tidegate.gate.context import Context
from tidegate.gate.explaining import (
    condition_words,
    golden_words,
    kind_words,
    needed_time,
    needed_words,
)
from tidegate.gate.profile import Profile, quantile_share
from tidegate.gate.samples import BASELINE_ARM, CANDIDATE_ARM, ProtocolCode
from tidegate.gate.statistics import correlation_measured
from tidegate.gate.tally import Tally
from tidegate.gate.validity import Check, lag_limit
from tidegate.gate.verdict import (
    BaselineCounts,
    ComparisonVerdict,
    Counts,
    ErrorRateVerdict,
    GeneratorHealth,
    LookVerdict,
    NeededTime,
    Outcome,
    QuantileVerdict,
    RatioVerdict,
    Verdict,
)


@dataclass(frozen=True)
class Findings:
    """Everything that was decided, before it is put into words."""

    tally: Tally
    profile: Profile
    context: Context
    levels: Confidences
    conditions: Conditions | None
    checks: tuple[Check, ...]
    looks: tuple[LookVerdict, ...]
    golden: Outcome
    complete: bool
    outcome: Outcome

    @property
    def problems(self) -> list[Check]:
        return [check for check in self.checks if check.state == "violated"]


def record(findings: Findings) -> Verdict:
    """The verdict as it is kept."""
    tally, profile, context = findings.tally, findings.profile, findings.context
    conditions = findings.conditions
    deciding, remaining = _reasons(findings)
    needed = _needed(findings)
    unknown = [check for check in findings.checks if check.state == "unknown"]
    return Verdict(
        outcome=findings.outcome,
        summary=f"{findings.outcome}: {'; '.join(deciding)}",
        reasons=(*deciding, *remaining),
        mend=_mend(findings, needed),
        validity="partial" if unknown else "full",
        quantiles=tuple(_quantile(tally, part) for part in conditions.slos) if conditions else (),
        error_rate=_error_rate(conditions.error_rate) if conditions else None,
        errors_by_kind=tally.errors_by_kind(CANDIDATE_ARM),
        first_errors=dict(context.first_errors),
        golden=context.golden,
        counts=_counts(tally, context),
        generator=_generator_health(findings),
        stopped_early=context.unfinished,
        confidence=findings.levels.to_pass,
        profile=profile.name,
        profile_digest=profile.digest,
        seed=profile.seed,
        subject=context.subject,
        evidence_path=None,
        started_at=context.started_at,
        ended_at=context.ended_at,
        judged_seconds=round(tally.judged_seconds, 6),
        fail_confidence=findings.levels.to_fail,
        comparison=_comparison(findings),
        looks=findings.looks,
        needed=tuple(needed),
        checks=tuple(check.record() for check in findings.checks),
        baseline_errors_by_kind=tally.errors_by_kind(BASELINE_ARM),
    )


def _reasons(findings: Findings) -> tuple[list[str], list[str]]:
    """The reasons that decided, and further facts."""
    outcome, context = findings.outcome, findings.context
    parts = _parts(findings)
    problems = [problem.detail for problem in findings.problems]
    facts = _facts(findings)
    early = next(
        (look.reason for look in findings.looks[:-1] if look.outcome is Outcome.FAIL), None
    )
    if findings.golden is Outcome.FAIL and context.golden is not None:
        rest = [words for _, words in parts]
        return [golden_words(context.golden)], [*rest, *facts, *problems]
    if outcome is Outcome.INVALID:
        return problems, [*(words for _, words in parts), *facts]
    deciding = [words for part, words in parts if part is outcome]
    remaining = [words for part, words in parts if part is not outcome]
    if outcome is Outcome.FAIL and early is not None:
        deciding = [early, *deciding]
    if outcome is Outcome.INCONCLUSIVE:
        deciding = [*_undecided(findings), *deciding]
    return deciding, [*remaining, *facts, *problems]


def _parts(findings: Findings) -> list[tuple[Outcome, str]]:
    if findings.conditions is None:
        return []
    found = []
    for part in findings.conditions.all:
        words = condition_words(part, _estimate(findings.tally, part))
        if isinstance(part, ShareCondition) and part.kind == "errorRate":
            kinds = findings.tally.errors_by_kind(CANDIDATE_ARM)
            words += kind_words(kinds, findings.context)
        found.append((part.outcome, words))
    return found


def _undecided(findings: Findings) -> list[str]:
    tally, profile, context = findings.tally, findings.profile, findings.context
    found = []
    if context.aborted is not None:
        found.append(f"the load was ended for the users' sake: {context.aborted}")
    if context.stopped_early is not None:
        found.append(f"the load was stopped early: {context.stopped_early}")
    if context.unfinished is None and not findings.complete:
        found.append(
            f"{tally.judged_seconds:.0f} s were judged and the profile asks for "
            f"{profile.duration_seconds:g} s; before its end nothing passes"
        )
    if findings.golden is Outcome.INCONCLUSIVE and context.golden is not None:
        found.append(
            f"{golden_words(context.golden)}; the profile asks for a top-1 agreement of "
            f"{profile.min_top1_agreement:.2%}"
        )
    return found


def _facts(findings: Findings) -> list[str]:
    found = []
    stopped = findings.context.unfinished
    if stopped is not None and findings.outcome is not Outcome.INCONCLUSIVE:
        found.append(f"the load was stopped early: {stopped}")
    if findings.conditions is not None and not correlation_measured(findings.tally.errors()):
        found.append("the run is too short to measure correlation; requests count as independent")
    unknown = [check.detail for check in findings.checks if check.state == "unknown"]
    if unknown:
        found.append(f"validity is partial; nobody recorded {', '.join(unknown)}")
    return found


def _needed(findings: Findings) -> list[NeededTime]:
    if findings.outcome is not Outcome.INCONCLUSIVE or findings.conditions is None:
        return []
    tally, profile = findings.tally, findings.profile
    found = needed_time(tally, findings.conditions, profile, findings.levels.to_pass)
    if not findings.complete:
        left = profile.duration_seconds - tally.judged_seconds
        found.insert(0, NeededTime(condition="whole profile", seconds=max(left, 1.0)))
    return found


def _mend(findings: Findings, needed: list[NeededTime]) -> tuple[str, ...]:
    if findings.outcome is Outcome.INVALID:
        return tuple(problem.mend for problem in findings.problems)
    words = [needed_words(each) for each in needed]
    if findings.outcome is Outcome.INCONCLUSIVE and findings.golden is Outcome.INCONCLUSIVE:
        words.append("the golden set: more examples would decide about top-1 agreement")
    return tuple(words)


def _estimate(tally: Tally, part: ShareCondition | RatioCondition) -> float | None:
    if isinstance(part, RatioCondition) or part.kind != "slo":
        return None
    return tally.latency_quantile(CANDIDATE_ARM, quantile_share(part.name))


def _quantile(tally: Tally, part: ShareCondition) -> QuantileVerdict:
    estimate = tally.latency_quantile(CANDIDATE_ARM, quantile_share(part.name))
    return QuantileVerdict(
        quantile=part.name,
        slo_milliseconds=part.slo_milliseconds,
        estimate_milliseconds=_milliseconds(estimate),
        over_slo=part.bounds.misses,
        requests=part.bounds.requests,
        design_effect=part.bounds.design_effect,
        effective_requests=part.bounds.effective_requests,
        lower_share=part.bounds.lower,
        upper_share=part.bounds.upper,
        allowed_share=part.limit,
        outcome=part.outcome,
    )


def _error_rate(part: ShareCondition) -> ErrorRateVerdict:
    return ErrorRateVerdict(
        errors=part.bounds.misses,
        requests=part.bounds.requests,
        design_effect=part.bounds.design_effect,
        effective_requests=part.bounds.effective_requests,
        lower=part.bounds.lower,
        upper=part.bounds.upper,
        limit=part.limit,
        outcome=part.outcome,
    )


def _comparison(findings: Findings) -> ComparisonVerdict | None:
    tally, baseline = findings.tally, findings.context.baseline
    if findings.conditions is None or findings.conditions.comparison is None:
        return None
    parts = tuple(_ratio(part) for part in findings.conditions.ratios)
    outcomes = {part.outcome for part in parts}
    order = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS)
    return ComparisonVerdict(
        baseline_revision=baseline.revision if baseline else None,
        why=baseline.why if baseline else None,
        candidate_requests=tally.counts(CANDIDATE_ARM).judged,
        baseline_requests=tally.counts(BASELINE_ARM).judged,
        block_seconds=tally.block_seconds,
        blocks=findings.conditions.comparison.blocks,
        resamples=RESAMPLES,
        quantiles=parts,
        outcome=next((each for each in order if each in outcomes), None),
    )


def _ratio(part: RatioCondition) -> RatioVerdict:
    return RatioVerdict(
        quantile=part.name,
        margin=part.margin,
        candidate_milliseconds=_milliseconds(part.bounds.candidate),
        baseline_milliseconds=_milliseconds(part.bounds.baseline),
        ratio=finite(part.bounds.ratio),
        lower=finite(part.bounds.lower),
        upper=finite(part.bounds.upper),
        outcome=part.outcome,
    )


def _counts(tally: Tally, context: Context) -> Counts:
    candidate, baseline = tally.counts(CANDIDATE_ARM), tally.counts(BASELINE_ARM)
    return Counts(
        planned=len(tally) if context.planned is None else context.planned,
        sent=candidate.sent + baseline.sent,
        done=candidate.done + baseline.done,
        errored=candidate.errored + baseline.errored,
        judged=candidate.judged,
        by_protocol={
            code.label: int(tally.by_protocol[code])
            for code in ProtocolCode
            if tally.by_protocol[code]
        },
        server=context.server.counts if context.server else None,
        baseline=BaselineCounts(**vars(baseline)) if tally.has_baseline else None,
    )


def _generator_health(findings: Findings) -> GeneratorHealth:
    tally, context = findings.tally, findings.context
    p99 = tally.lag.quantile(0.99)
    per_request = None
    if context.cpu_seconds is not None and tally.lag.total:
        per_request = context.cpu_seconds / tally.lag.total * 1e6
    return GeneratorHealth(
        lag_p99_milliseconds=_milliseconds(p99),
        lag_limit_milliseconds=lag_limit(findings.profile) * 1000.0,
        cpu_share=context.cpu_share,
        cpu_microseconds_per_request=per_request,
    )


def _milliseconds(seconds: float) -> float | None:
    # To the nanosecond, so that the order in which rows were added up does not show.
    return round(seconds * 1000.0, 6) if math.isfinite(seconds) else None
