"""What the samples themselves say about whether they may be believed."""

import math
from collections.abc import Iterator

from tidegate.gate.check import Check
from tidegate.gate.context import Context
from tidegate.gate.profile import Profile
from tidegate.gate.samples import BASELINE_ARM, CANDIDATE_ARM
from tidegate.gate.tally import Tally

LAG_SHARE_OF_SLO = 0.05
LAG_FLOOR_SECONDS = 0.020
"""A few scheduler slices on a busy machine. Lag is part of the judged latency, so below this it
only makes a release look slower; above it the schedule that was asked for is not what was sent."""
_FEWEST_OF_RATE = 0.9


def sample_checks(tally: Tally, profile: Profile, context: Context) -> Iterator[Check]:
    """Checks of the rows, most telling first."""
    yield from _sent(tally)
    if any(tally.counts(arm).sent for arm in (CANDIDATE_ARM, BASELINE_ARM)):
        yield _schedule(tally, profile, context)
    yield _drain(tally)
    yield _duplicates(tally)
    yield _times(tally)
    yield _version(tally)
    yield from _revision(tally, context)
    yield from _lag(tally, profile)
    baseline = next(_baseline(tally, profile, context), None)
    if baseline is not None:
        yield baseline


def lag_limit(profile: Profile) -> float:
    """Seconds: 5% of the tightest SLO, at least LAG_FLOOR_SECONDS."""
    return max(LAG_SHARE_OF_SLO * profile.tightest_slo_seconds, LAG_FLOOR_SECONDS)


def _sent(tally: Tally) -> Iterator[Check]:
    if not tally.counts(CANDIDATE_ARM).sent:
        what = "no request was sent"
        if tally.counts(BASELINE_ARM).sent:
            what += " to the candidate"
        yield Check("schedule", "violated", what, "read the runner's log, then run again")


def _schedule(tally: Tally, profile: Profile, context: Context) -> Check:
    sent = sum(tally.counts(arm).sent for arm in (CANDIDATE_ARM, BASELINE_ARM))
    planned = len(tally) if context.planned is None else context.planned
    quieter = "give the generator a quieter machine or a lower rate"
    if planned != sent:
        return Check(
            "schedule", "violated", f"{planned} requests were planned and {sent} sent", quieter
        )
    asked = _expected_until(profile, tally.last_intended - tally.first_intended)
    # Three standard deviations of a Poisson count on top of a tenth.
    if sent < _FEWEST_OF_RATE * asked - 3.0 * math.sqrt(asked):
        return Check(
            "schedule",
            "violated",
            f"the profile asks for about {asked:.0f} requests in this time, {sent} were recorded",
            "record every planned request, or judge by the profile that was sent",
            only_forbids_pass=True,
        )
    if context.planned is None:
        return Check.unknown("schedule", "how many requests were planned")
    return Check("schedule", "ok", f"{sent} requests planned and sent")


def _expected_until(profile: Profile, seconds: float) -> float:
    return math.fsum(
        piece.rate_per_second * max(0.0, min(seconds, piece.end_seconds) - piece.start_seconds)
        for piece in profile.rate_pieces()
    )


def _drain(tally: Tally) -> Check:
    found = tally.problems
    if found.done_without_sent:
        return Check(
            "drain",
            "violated",
            f"{found.done_without_sent} answers without a request are recorded",
            "record the run anew",
        )
    if found.unfinished:
        return Check(
            "drain",
            "violated",
            f"{found.unfinished} requests were sent and neither answered nor counted as errors",
            "run again; the generator did not drain",
        )
    return Check("drain", "ok", "every request was answered or counted as an error")


def _duplicates(tally: Tally) -> Check:
    if copies := tally.duplicates:
        return Check(
            "duplicates",
            "violated",
            f"{copies} rows are exact copies of other rows",
            "record each request once",
        )
    return Check("duplicates", "ok", "no request was recorded twice")


def _times(tally: Tally) -> Check:
    if tally.problems.backwards:
        return Check(
            "times",
            "violated",
            f"the clock went backwards during the run: {tally.problems.backwards} requests were "
            "sent before they were due, or done before they were sent",
            "record on a monotonic clock",
        )
    return Check("times", "ok", "intended, sent and done follow each other")


def _version(tally: Tally) -> Check:
    if other := tally.problems.other_version:
        return Check(
            "version",
            "violated",
            f"{other} answers under load came from another model or version",
            "keep other versions off this server during the run",
        )
    return Check("version", "ok", "no answer is recorded from another model or version")


def _revision(tally: Tally, context: Context) -> Iterator[Check]:
    for arm, expected in zip(
        (CANDIDATE_ARM, BASELINE_ARM), context.expected_revisions, strict=True
    ):
        codes = tally.revision_codes(arm)
        names = {
            tally.revisions[code] if 0 <= code < len(tally.revisions) else "an unnamed revision"
            for code in codes
        }
        stated = any(code >= 0 for code in codes)
        if stated and (len(names) > 1 or (expected is not None and names != {expected})):
            yield Check(
                "revision",
                "violated",
                f"answers came from {' and '.join(sorted(names))}"
                + (f", expected {expected}" if expected else ""),
                "keep other revisions away from this target during the run",
            )
            return
    if tally.revisions:
        yield Check("revision", "ok", "each arm was answered by one revision")


def _lag(tally: Tally, profile: Profile) -> Iterator[Check]:
    p99, limit = tally.lag.quantile(0.99), lag_limit(profile)
    if math.isnan(p99):
        return
    words = f"lag p99 {p99 * 1000:.1f} ms, limit {limit * 1000:.1f} ms"
    if p99 > limit:
        yield Check(
            "lag",
            "violated",
            f"the generator was late: {words}",
            "give the generator a quieter machine or a lower rate",
        )
    else:
        yield Check("lag", "ok", words)


def _baseline(tally: Tally, profile: Profile, context: Context) -> Iterator[Check]:
    if not tally.has_baseline:
        if context.baseline is not None:
            yield _no_comparison(
                f"no request to the baseline {context.baseline.revision} was recorded",
                "see whether the baseline is reachable, or judge without it",
            )
        return
    if not profile.comparison_margins:
        return
    counts = tally.counts(BASELINE_ARM)
    if counts.errored > max(3.0, 2.0 * profile.max_error_rate * counts.sent):
        yield _no_comparison(
            f"the baseline itself failed {counts.errored} of {counts.sent} requests, so being as "
            "fast as it shows nothing",
            "mend the baseline, or judge without it",
        )
    if not tally.interleaved:
        yield _no_comparison(
            "candidate and baseline were not measured at the same time",
            "send both arms their requests in the same minutes",
        )
    yield Check("baseline", "ok", f"{counts.sent} requests to the baseline at the same time")


def _no_comparison(reason: str, mend: str) -> Check:
    return Check("baseline", "violated", reason, mend, only_forbids_pass=True)
