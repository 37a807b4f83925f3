"""The verdict's reasons in words, with the numbers they rest on."""

import math

from tidegate.gate.comparison import RatioBounds
from tidegate.gate.conditions import Conditions, RatioCondition, ShareCondition
from tidegate.gate.context import Context
from tidegate.gate.profile import Profile
from tidegate.gate.statistics import requests_to_pass
from tidegate.gate.tally import Tally
from tidegate.gate.verdict import GoldenReport, NeededTime, Outcome


def condition_words(
    condition: ShareCondition | RatioCondition, estimate_seconds: float | None = None
) -> str:
    """One condition; `estimate_seconds` is the measured quantile of an SLO."""
    if isinstance(condition, RatioCondition):
        return _ratio_words(condition)
    if condition.kind == "errorRate":
        return _error_words(condition)
    return _slo_words(condition, estimate_seconds)


def golden_words(golden: GoldenReport) -> str:
    words = f"{golden.disagreements} of {golden.compared} golden answers are wrong"
    if golden.top1_agreement is not None:
        words += f", top-1 agreement {golden.top1_agreement:.1%}"
    if golden.top1_lower is not None and golden.top1_upper is not None:
        words += f" (between {golden.top1_lower:.2%} and {golden.top1_upper:.2%})"
    if golden.max_deviation is not None:
        words += f", largest deviation {golden.max_deviation:.3g}"
    return f"{words}; first: {golden.first_difference}"


def kind_words(errors_by_kind: dict[str, int], context: Context) -> str:
    """Which errors there were, and the first of the most frequent kind."""
    if not errors_by_kind:
        return ""
    kinds = ", ".join(f"{count} {kind}" for kind, count in errors_by_kind.items())
    example = dict(context.first_errors).get(next(iter(errors_by_kind)), "")
    return f" ({kinds})" + (f"; first: {example}" if example else "")


def needed_time(
    tally: Tally, conditions: Conditions, profile: Profile, confidence: float
) -> list[NeededTime]:
    """How much more of this load each undecided condition would probably take."""
    found = []
    requests = max(conditions.error_rate.bounds.requests, 1)
    # Of the judged time so far, or of the profile when hardly anything was judged.
    seconds = tally.judged_seconds or profile.duration_seconds
    for share in (conditions.error_rate, *conditions.slos):
        if share.outcome is Outcome.INCONCLUSIVE:
            needed = requests_to_pass(share.bounds, share.limit, confidence)
            more = None if needed is None else (needed - requests) * seconds / requests
            found.append(NeededTime(condition=_name(share), seconds=_at_least_one(more)))
    for ratio in conditions.ratios:
        if ratio.outcome is Outcome.INCONCLUSIVE:
            factor = _times_longer(ratio.bounds, ratio.limit)
            more = None if factor is None else seconds * (factor - 1.0)
            found.append(NeededTime(condition=_name(ratio), seconds=_at_least_one(more)))
    return found


def needed_words(needed: NeededTime) -> str:
    if needed.seconds is None:
        return f"the {needed.condition}: the measured value is at its limit; improve the release"
    return f"the {needed.condition}: about {needed.seconds:.0f} s more of this load would decide"


def _times_longer(bounds: RatioBounds, limit: float) -> float | None:
    """An interval shrinks with the square root of time; None when the ratio is at its limit."""
    ratio = bounds.ratio
    if not (math.isfinite(ratio) and math.isfinite(bounds.upper)) or not 0.0 < ratio < limit:
        return None
    return (math.log(bounds.upper / ratio) / math.log(limit / ratio)) ** 2


def _at_least_one(seconds: float | None) -> float | None:
    return None if seconds is None else max(seconds, 1.0)


def _name(condition: ShareCondition | RatioCondition) -> str:
    if isinstance(condition, RatioCondition):
        return f"{condition.name} against the baseline"
    return "error rate" if condition.kind == "errorRate" else f"{condition.name} SLO"


def _error_words(part: ShareCondition) -> str:
    bounds = part.bounds
    share = bounds.misses / bounds.requests if bounds.requests else 0.0
    return (
        f"{bounds.misses} of {bounds.requests} requests failed: error rate {share:.2%}, "
        f"{_range(part.outcome, bounds.lower, bounds.upper)}, limit {part.limit:.2%}"
    )


def _slo_words(part: ShareCondition, estimate_seconds: float | None) -> str:
    bounds = part.bounds
    if estimate_seconds is None:
        measured = ""
    elif math.isfinite(estimate_seconds):
        measured = f" {estimate_seconds * 1000.0:.1f} ms"
    else:
        measured = " not reached, too many requests failed"
    return (
        f"{part.name}{measured}, SLO {part.slo_milliseconds:g} ms: {bounds.misses} of "
        f"{bounds.requests} requests were over it, "
        f"{_range(part.outcome, bounds.lower, bounds.upper)}, limit {part.limit:.2%}"
    )


def _ratio_words(part: RatioCondition) -> str:
    bounds = part.bounds
    if not math.isfinite(bounds.ratio):
        return f"{part.name} against the baseline cannot be told"
    return (
        f"{part.name} {bounds.candidate * 1000:.1f} ms against the baseline's "
        f"{bounds.baseline * 1000:.1f} ms: {_factor(part)}, limit {part.limit:.2f} times"
    )


def _factor(part: RatioCondition) -> str:
    lower, upper = part.bounds.lower, part.bounds.upper
    if part.outcome is Outcome.PASS:
        return f"at most {upper:.2f} times"
    if part.outcome is Outcome.FAIL:
        return f"at least {lower:.2f} times"
    if not math.isfinite(upper):
        return f"{part.bounds.ratio:.2f} times, too few blocks of time for a bound"
    return f"between {lower:.2f} and {upper:.2f} times"


def _range(outcome: Outcome, lower: float, upper: float) -> str:
    if outcome is Outcome.PASS:
        return f"at most {upper:.2%}"
    if outcome is Outcome.FAIL:
        return f"at least {lower:.2%}"
    return f"between {lower:.2%} and {upper:.2%}"
