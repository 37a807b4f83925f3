"""A verdict as people read it: shared by the terminal, the Markdown summary and the page."""

from dataclasses import dataclass

from tidegate.gate.numbers_in_words import UNKNOWN, count, milliseconds, percent, plain, ratio
from tidegate.gate.verdict import ConditionBounds, LookVerdict, Outcome, RatioVerdict, Verdict

_MEANINGS = {
    Outcome.PASS: "Every condition was shown to hold.",
    Outcome.FAIL: "The release was shown to break a condition. The verdict stands for this "
    "revision.",
    Outcome.INCONCLUSIVE: "The load could show neither that the conditions hold nor that one is "
    "broken.",
    Outcome.INVALID: "The measurement cannot be believed, so nothing was decided.",
}


@dataclass(frozen=True)
class Row:
    """One condition. `interval` holds the one-sided bounds of what `limit` limits."""

    condition: str
    measured: str
    interval: str
    limit: str
    requests: str
    design_effect: str
    outcome: Outcome


def subject_of(verdict: Verdict) -> str:
    return verdict.subject.revision if verdict.subject else "The recorded candidate"


def headline(verdict: Verdict) -> str:
    """What follows from the verdict, in a sentence."""
    effect = {
        Outcome.PASS: "may take traffic",
        Outcome.FAIL: "takes no traffic",
        Outcome.INCONCLUSIVE: "takes no traffic yet",
        Outcome.INVALID: "takes no traffic yet",
    }[verdict.outcome]
    return f"{subject_of(verdict)} {effect}"


def meaning(outcome: Outcome) -> str:
    return _MEANINGS[outcome]


def rows_of(verdict: Verdict) -> tuple[Row, ...]:
    """The conditions in the order in which they are judged."""
    rows = [
        Row(
            condition=f"{part.quantile} ≤ {plain(part.slo_milliseconds)} ms",
            measured="not reached"
            if part.estimate_milliseconds is None
            else milliseconds(part.estimate_milliseconds),
            interval=f"{_interval(part.lower_share, part.upper_share)} over it",
            limit=f"{percent(part.allowed_share)} over it",
            requests=count(part.requests),
            design_effect=plain(part.design_effect),
            outcome=part.outcome,
        )
        for part in verdict.quantiles
    ]
    if verdict.error_rate is not None:
        errors = verdict.error_rate
        rows.append(
            Row(
                condition="error rate",
                measured=f"{count(errors.errors)} of {count(errors.requests)}",
                interval=_interval(errors.lower, errors.upper),
                limit=percent(errors.limit),
                requests=count(errors.requests),
                design_effect=plain(errors.design_effect),
                outcome=errors.outcome,
            )
        )
    if verdict.comparison is not None:
        comparison = verdict.comparison
        requests = f"{count(comparison.candidate_requests)} + {count(comparison.baseline_requests)}"
        rows += [_ratio_row(part, requests) for part in comparison.quantiles]
    return tuple(rows)


def facts_of(verdict: Verdict) -> tuple[tuple[str, str], ...]:
    """Everything else that was measured or fixed, as label and value."""
    counts, generator = verdict.counts, verdict.generator
    facts = [
        (
            "Requests",
            f"{count(counts.planned)} planned, {count(counts.sent)} sent, {count(counts.done)} "
            f"done, {count(counts.errored)} failed, {count(counts.judged)} judged",
        )
    ]
    if counts.baseline is not None:
        baseline = counts.baseline
        facts.append(
            (
                "of these to the baseline",
                f"{count(baseline.sent)} sent, {count(baseline.done)} done, "
                f"{count(baseline.errored)} failed, {count(baseline.judged)} judged",
            )
        )
    if counts.by_protocol:
        by_protocol = (f"{count(each)} {name}" for name, each in counts.by_protocol.items())
        facts.append(("Protocols", ", ".join(by_protocol)))
    if counts.server is not None:
        server = counts.server
        facts.append(
            ("Server's count", f"{count(server.success)} right, {count(server.failure)} failed")
        )
    if verdict.golden is not None:
        golden = verdict.golden
        words = f"{golden.compared - golden.disagreements} of {golden.compared} agree"
        if golden.top1_agreement is not None:
            words += f", top-1 agreement {percent(golden.top1_agreement)}"
        if golden.max_deviation is not None:
            words += f", largest deviation {golden.max_deviation:.2g}"
        facts.append(("Golden answers", words))
    if verdict.comparison is not None:
        comparison = verdict.comparison
        why = f": {comparison.why}" if comparison.why else ""
        facts.append(("Baseline", f"{comparison.baseline_revision or 'unnamed'}{why}"))
    facts.append(
        (
            "Lag of the generator",
            f"p99 {milliseconds(generator.lag_p99_milliseconds)}, limit "
            f"{milliseconds(generator.lag_limit_milliseconds)}",
        )
    )
    if generator.cpu_share is not None:
        words = f"{percent(generator.cpu_share)} of a core"
        if generator.cpu_microseconds_per_request is not None:
            words += f", {plain(generator.cpu_microseconds_per_request)} µs per request"
        facts.append(("CPU of the generator", words))
    if verdict.stopped_early is not None:
        facts.append(("Stopped early", verdict.stopped_early))
    facts += [
        ("Confidence", f"{percent(verdict.confidence)} one-sided"),
        ("Validity", verdict.validity),
        ("Profile", f"{verdict.profile}, seed {verdict.seed}"),
        ("Profile's digest", verdict.profile_digest),
    ]
    if verdict.subject is not None:
        subject = verdict.subject
        facts += [
            ("Release", f"{subject.service}@{subject.release}"),
            ("Attempt", f"{subject.attempt} in {subject.environment}"),
            *sorted(subject.digests.items()),
        ]
    if verdict.started_at is not None and verdict.ended_at is not None:
        facts.append(("Time", f"{verdict.started_at} to {verdict.ended_at}"))
    if verdict.evidence_path is not None:
        facts.append(("Evidence", verdict.evidence_path))
    return tuple(facts)


def looks_of(verdict: Verdict) -> tuple[LookVerdict, ...]:
    """The looks with something to show, in order of time."""
    looks = (look for look in verdict.looks if look.conditions)
    return tuple(sorted(looks, key=lambda look: look.seconds))


def title_of(bounds: ConditionBounds) -> str:
    """A condition in two or three words."""
    return {
        "slo": f"{bounds.name} SLO",
        "errorRate": "error rate",
        "comparison": f"{bounds.name} ratio",
    }[bounds.kind]


def bounds_words(bounds: ConditionBounds) -> str:
    """Where a condition's true value lies, as far as known: "p95 SLO 0% to 2.1%, limit 5%"."""
    if bounds.kind == "comparison":
        known, limit = _ratios(bounds.lower, bounds.upper), ratio(bounds.limit)
    else:
        upper = 1.0 if bounds.upper is None else bounds.upper
        known, limit = _interval(bounds.lower or 0.0, upper), percent(bounds.limit)
    return f"{title_of(bounds)} {known}, limit {limit}"


def _ratio_row(part: RatioVerdict, requests: str) -> Row:
    candidate = milliseconds(part.candidate_milliseconds)
    both = f"{candidate} against {milliseconds(part.baseline_milliseconds)}"
    measured = UNKNOWN if part.ratio is None else f"{ratio(part.ratio)} ({both})"
    return Row(
        condition=f"{part.quantile} against the baseline",
        measured=measured,
        interval=_ratios(part.lower, part.upper),
        limit=ratio(1 + part.margin),
        requests=requests,
        design_effect="paired blocks",
        outcome=part.outcome,
    )


def _interval(lower: float, upper: float) -> str:
    """A lower bound below a thousandth of a percent is as good as none."""
    return f"{percent(lower if lower >= 1e-5 else 0.0)} to {percent(upper)}"


def _ratios(lower: float | None, upper: float | None) -> str:
    if upper is None:
        return f"at least {ratio(lower)}" if lower else "unknown"
    return f"{ratio(lower or 0.0)} to {ratio(upper)}"
