"""From samples to a verdict: pure, so that anyone can judge recorded samples again."""

from collections.abc import Iterable

import numpy as np

from tidegate.gate.explaining import explain
from tidegate.gate.profile import Profile, quantile_share
from tidegate.gate.samples import BoolArray, Samples
from tidegate.gate.statistics import (
    ShareBounds,
    quantile_estimate,
    share_bounds,
)
from tidegate.gate.validity import Context, Problem, lag_limit, problems_of
from tidegate.gate.verdict import (
    Counts,
    ErrorRateVerdict,
    GeneratorHealth,
    Outcome,
    QuantileVerdict,
    Verdict,
)


def judge(samples: Samples, profile: Profile, context: Context | None = None) -> Verdict:
    """Decide about `samples` taken under `profile`.

    In this order: a golden set answered wrongly is FAIL; numbers that cannot be believed are
    INVALID; a bound beyond its limit is FAIL; a bound that does not reach its limit is
    INCONCLUSIVE; else PASS. Samples due in the warm-up are not judged.
    """
    context = context or Context()
    confidence = profile.confidence if context.confidence is None else context.confidence
    judged = samples.where(judged_rows(samples, profile))
    quantiles: tuple[QuantileVerdict, ...] = ()
    error_rate: ErrorRateVerdict | None = None
    if len(judged):
        quantiles = tuple(
            _judge_quantile(judged, name, slo, confidence) for name, slo in profile.slos.items()
        )
        error_rate = _judge_errors(judged, profile.max_error_rate, confidence)
    problems = problems_of(samples, profile, context)
    outcome = _outcome(quantiles, error_rate, problems, context)
    deciding, remaining, mend = explain(
        outcome, judged, quantiles, error_rate, problems, context, profile
    )
    sent = ~np.isnan(samples.sent)
    return Verdict(
        outcome=outcome,
        summary=f"{outcome}: {'; '.join(deciding)}",
        reasons=(*deciding, *remaining),
        mend=tuple(mend),
        validity="full" if context.complete else "partial",
        quantiles=quantiles,
        error_rate=error_rate,
        errors_by_kind=samples.errors_by_kind(),
        first_errors=dict(context.first_errors),
        golden=context.golden,
        counts=Counts(
            planned=len(samples) if context.planned is None else context.planned,
            sent=int(np.count_nonzero(sent)),
            done=int(np.count_nonzero(~np.isnan(samples.done))),
            errored=int(np.count_nonzero(sent & ~samples.ok)),
            judged=len(judged),
            by_protocol=samples.count_by_protocol(),
            server=context.server.counts if context.server else None,
        ),
        generator=_generator_health(samples, profile, context),
        stopped_early=context.stopped_early,
        confidence=confidence,
        profile=profile.name,
        profile_digest=profile.digest,
        seed=profile.seed,
        subject=context.subject,
        evidence_path=None,
        started_at=context.started_at,
        ended_at=context.ended_at,
    )


def judged_rows(samples: Samples, profile: Profile) -> BoolArray:
    """Requests due after the warm-up, which begins with the first request."""
    if not len(samples):
        return np.zeros(0, np.bool_)
    judged: BoolArray = samples.intended >= samples.intended.min() + profile.warm_up_seconds
    return judged


def _judge_quantile(
    samples: Samples, quantile: str, slo_milliseconds: float, confidence: float
) -> QuantileVerdict:
    share = quantile_share(quantile)
    latency = samples.latency
    bounds = share_bounds(latency > slo_milliseconds / 1000.0, samples.intended, confidence)
    estimate = quantile_estimate(latency, share)
    return QuantileVerdict(
        quantile=quantile,
        slo_milliseconds=slo_milliseconds,
        estimate_milliseconds=estimate * 1000.0 if np.isfinite(estimate) else None,
        over_slo=bounds.misses,
        requests=bounds.requests,
        design_effect=bounds.design_effect,
        effective_requests=bounds.effective_requests,
        lower_share=bounds.lower,
        upper_share=bounds.upper,
        allowed_share=1.0 - share,
        outcome=_against_limit(bounds, 1.0 - share),
    )


def _judge_errors(samples: Samples, limit: float, confidence: float) -> ErrorRateVerdict:
    bounds = share_bounds(~samples.ok, samples.intended, confidence)
    return ErrorRateVerdict(
        errors=bounds.misses,
        requests=bounds.requests,
        design_effect=bounds.design_effect,
        effective_requests=bounds.effective_requests,
        lower=bounds.lower,
        upper=bounds.upper,
        limit=limit,
        outcome=_against_limit(bounds, limit),
    )


def _against_limit(bounds: ShareBounds, limit: float) -> Outcome:
    if bounds.upper < limit:
        return Outcome.PASS
    return Outcome.FAIL if bounds.lower > limit else Outcome.INCONCLUSIVE


def _outcome(
    quantiles: Iterable[QuantileVerdict],
    error_rate: ErrorRateVerdict | None,
    problems: list[Problem],
    context: Context,
) -> Outcome:
    if context.golden is not None and context.golden.disagreements:
        return Outcome.FAIL
    if any(not problem.only_forbids_pass for problem in problems) or error_rate is None:
        return Outcome.INVALID
    parts = {error_rate.outcome, *(quantile.outcome for quantile in quantiles)}
    if Outcome.FAIL in parts:
        return Outcome.FAIL
    if problems:
        return Outcome.INVALID
    if Outcome.INCONCLUSIVE in parts or context.stopped_early is not None:
        return Outcome.INCONCLUSIVE
    return Outcome.PASS


def _generator_health(samples: Samples, profile: Profile, context: Context) -> GeneratorHealth:
    lag = samples.lag
    per_request = None
    if context.cpu_seconds is not None and lag.size:
        per_request = context.cpu_seconds / lag.size * 1e6
    return GeneratorHealth(
        lag_p99_milliseconds=float(np.quantile(lag, 0.99)) * 1000.0 if lag.size else None,
        lag_limit_milliseconds=lag_limit(profile) * 1000.0,
        cpu_share=context.cpu_share,
        cpu_microseconds_per_request=per_request,
    )
