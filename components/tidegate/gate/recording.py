"""Writes down what was found: the verdict with its reasons and every number behind them."""

import math

from tidegate.gate.comparison import RESAMPLES
from tidegate.gate.conditions import RatioCondition, ShareCondition, finite
from tidegate.gate.context import Context
from tidegate.gate.findings import Findings
from tidegate.gate.profile import quantile_share
from tidegate.gate.reasons import mend_of, needed_of, reasons_of
from tidegate.gate.samples import BASELINE_ARM, CANDIDATE_ARM, ProtocolCode
from tidegate.gate.tally import Tally
from tidegate.gate.validity import lag_limit
from tidegate.gate.verdict import (
    BaselineCounts,
    ComparisonVerdict,
    Counts,
    ErrorRateVerdict,
    GeneratorHealth,
    Outcome,
    QuantileVerdict,
    RatioVerdict,
    Verdict,
)


def record(findings: Findings) -> Verdict:
    """The verdict as it is kept."""
    tally, profile, context = findings.tally, findings.profile, findings.context
    conditions = findings.conditions
    deciding, remaining = reasons_of(findings)
    needed = needed_of(findings)
    unknown = [check for check in findings.checks if check.state == "unknown"]
    return Verdict(
        outcome=findings.outcome,
        summary=f"{findings.outcome}: {'; '.join(deciding)}",
        reasons=(*deciding, *remaining),
        mend=mend_of(findings, needed),
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
