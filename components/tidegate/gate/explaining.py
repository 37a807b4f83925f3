"""The verdict's reasons in words, with the numbers they rest on."""

from tidegate.gate.profile import Profile
from tidegate.gate.samples import Samples
from tidegate.gate.statistics import correlation_measured, requests_to_pass, share_bounds
from tidegate.gate.validity import Context, Problem
from tidegate.gate.verdict import ErrorRateVerdict, GoldenReport, Outcome, QuantileVerdict


def explain(
    outcome: Outcome,
    judged: Samples,
    quantiles: tuple[QuantileVerdict, ...],
    error_rate: ErrorRateVerdict | None,
    problems: list[Problem],
    context: Context,
    profile: Profile,
) -> tuple[list[str], list[str], list[str]]:
    """The reasons that decided, further facts, and what to mend."""
    parts = [(part.outcome, _quantile_words(part)) for part in quantiles]
    if error_rate is not None:
        parts.insert(
            0, (error_rate.outcome, _error_words(error_rate, judged.errors_by_kind(), context))
        )
    facts = [words for part, words in parts if part is not outcome]
    if len(judged) and not correlation_measured(judged.intended):
        facts.append("the run is too short to measure correlation; requests count as independent")
    problem_words = [problem.reason for problem in problems]
    stopped = f"the load was stopped early: {context.stopped_early}"
    if context.stopped_early is not None and outcome is not Outcome.INCONCLUSIVE:
        facts.append(stopped)
    golden = context.golden
    if golden is not None and golden.disagreements:
        return [_golden_words(golden)], [*facts, *problem_words], []
    if outcome is Outcome.INVALID:
        deciding = problem_words or ["no request was due after the warm-up"]
        return deciding, facts, [problem.mend for problem in problems]
    deciding = [words for part, words in parts if part is outcome]
    if outcome is Outcome.INCONCLUSIVE:
        if context.stopped_early is not None:
            deciding.append(stopped)
        return deciding, facts, _needed_words(judged, error_rate, quantiles, profile, context)
    return deciding, [*facts, *problem_words], []


def _golden_words(golden: GoldenReport) -> str:
    words = f"{golden.disagreements} of {golden.compared} golden answers are wrong"
    if golden.top1_agreement is not None:
        words += f", top-1 agreement {golden.top1_agreement:.1%}"
    if golden.max_deviation is not None:
        words += f", largest deviation {golden.max_deviation:.3g}"
    return f"{words}; first: {golden.first_difference}"


def _error_words(part: ErrorRateVerdict, errors_by_kind: dict[str, int], context: Context) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in errors_by_kind.items())
    listed = f" ({kinds})" if kinds else ""
    example = dict(context.first_errors).get(next(iter(errors_by_kind), ""))
    first = f"; first: {example}" if example else ""
    share = part.errors / part.requests
    return (
        f"{part.errors} of {part.requests} requests failed{listed}: error rate {share:.2%}, "
        f"{_range(part.outcome, part.lower, part.upper)}, limit {part.limit:.2%}{first}"
    )


def _quantile_words(part: QuantileVerdict) -> str:
    estimate = (
        "not reached, too many requests failed"
        if part.estimate_milliseconds is None
        else f"{part.estimate_milliseconds:.1f} ms"
    )
    return (
        f"{part.quantile} {estimate}, SLO {part.slo_milliseconds:g} ms: {part.over_slo} of "
        f"{part.requests} requests were over it, "
        f"{_range(part.outcome, part.lower_share, part.upper_share)}, "
        f"limit {part.allowed_share:.2%}"
    )


def _range(outcome: Outcome, lower: float, upper: float) -> str:
    if outcome is Outcome.PASS:
        return f"at most {upper:.2%}"
    if outcome is Outcome.FAIL:
        return f"at least {lower:.2%}"
    return f"between {lower:.2%} and {upper:.2%}"


def _needed_words(
    judged: Samples,
    error_rate: ErrorRateVerdict | None,
    quantiles: tuple[QuantileVerdict, ...],
    profile: Profile,
    context: Context,
) -> list[str]:
    confidence = profile.confidence if context.confidence is None else context.confidence
    latency = judged.latency
    asked = [
        (f"the {part.quantile} SLO", latency > part.slo_milliseconds / 1000.0, part.allowed_share)
        for part in quantiles
        if part.outcome is Outcome.INCONCLUSIVE
    ]
    if error_rate is not None and error_rate.outcome is Outcome.INCONCLUSIVE:
        asked.append(("the error rate", ~judged.ok, error_rate.limit))
    words = []
    for name, missed, limit in asked:
        bounds = share_bounds(missed, judged.intended, confidence)
        needed = requests_to_pass(bounds, limit, confidence)
        if needed is None:
            words.append(f"{name}: the measured share is at its limit; improve the release")
        else:
            more = (needed - bounds.requests) / profile.rate_per_second
            words.append(f"{name}: about {max(more, 1):.0f} s more of this load would decide")
    return words
