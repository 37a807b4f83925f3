"""From samples to a verdict: pure, so that anyone can judge recorded samples again."""

import math
from dataclasses import replace
from pathlib import Path

from tidegate.gate.conditions import Conditions, Confidences, confidences, evaluate
from tidegate.gate.context import Context, Problem
from tidegate.gate.findings import Findings
from tidegate.gate.golden_rule import golden_outcome, with_bounds
from tidegate.gate.looks import early_looks, look_verdict
from tidegate.gate.profile import Profile
from tidegate.gate.recording import record
from tidegate.gate.sample_file import CHUNK_ROWS, check_values, read_chunks
from tidegate.gate.samples import CANDIDATE_ARM, Samples
from tidegate.gate.tally import Tally
from tidegate.gate.validity import Check, checks_of
from tidegate.gate.verdict import GoldenReport, LookVerdict, Outcome, Verdict
from tidegate.spec.errors import SpecError

SHORTEST_SHARE_OF_DURATION = 0.95
"""A recording may count the warm-up into its length, and a last Poisson arrival comes early."""


def judge(samples: Samples, profile: Profile, context: Context | None = None) -> Verdict:
    """Decide about `samples` taken under `profile`.

    In this order: a golden set answered wrongly is FAIL; numbers that cannot be believed are
    INVALID; a bound beyond its limit, at the end or at an earlier look, is FAIL; a run that is
    shorter than its profile or a bound that does not reach its limit is INCONCLUSIVE; else PASS.
    Samples due in the warm-up are not judged. The order of rows makes no difference.
    """
    context = context or Context()
    try:
        return judge_tally(_tally_of(samples, profile), profile, context)
    except SpecError as error:
        return _refused(error, profile, context)


def judge_file(
    path: Path, profile: Profile, context: Context | None = None
) -> tuple[Verdict, Tally]:
    """Decide about a file of samples of any size; one that is no samples is INVALID."""
    context = context or Context()
    try:
        tally = _tally_of_file(path, profile)
        return judge_tally(tally, profile, context), tally
    except SpecError as error:
        return _refused(error, profile, context), Tally(profile)


def judge_tally(tally: Tally, profile: Profile, context: Context | None = None) -> Verdict:
    """Decide about samples that were counted while they came."""
    context = context or Context()
    confidence = profile.confidence if context.confidence is None else context.confidence
    if context.golden is not None:
        context = replace(context, golden=with_bounds(context.golden, confidence))
    levels = confidences(tally, profile, confidence)
    checks = checks_of(tally, profile, context)
    conditions, looks = None, []
    if tally.counts(CANDIDATE_ARM).judged:
        conditions = evaluate(tally, profile, levels)
        looks = _looks(tally, profile, levels, conditions)
    elif not any(check.state == "violated" for check in checks):
        checks.append(
            Check("schedule", "violated", "no request was due after the warm-up", "a longer run")
        )
    golden = _golden_outcome(context.golden, profile, confidence)
    last = _end_outcome(tally, profile, conditions, golden, context)
    outcome = _outcome(checks, looks, golden, last)
    if looks:
        looks[-1] = looks[-1].model_copy(update={"outcome": _last_look(looks[-1], last)})
    return record(
        Findings(
            tally=tally,
            profile=profile,
            context=context,
            levels=levels,
            conditions=conditions,
            checks=tuple(checks),
            looks=tuple(looks),
            golden=golden,
            complete=is_complete(tally, profile),
            outcome=outcome,
        )
    )


def is_complete(tally: Tally, profile: Profile) -> bool:
    """Whether the judged time is the profile's, as good as."""
    least = profile.duration_seconds * SHORTEST_SHARE_OF_DURATION
    return tally.judged_seconds >= min(least, profile.duration_seconds - 1.0)


def _tally_of(samples: Samples, profile: Profile) -> Tally:
    if not len(samples):
        return Tally(profile)
    check_values(samples)
    origin = float(samples.intended.min())
    tally = Tally(profile, origin, float(samples.intended.max()) - origin)
    for start in range(0, len(samples), CHUNK_ROWS):
        tally.add(samples.where(slice(start, start + CHUNK_ROWS)))
    return tally


def _tally_of_file(path: Path, profile: Profile) -> Tally:
    # The warm-up begins with the first request, wherever in the file it stands.
    first, last = math.inf, -math.inf
    for chunk in read_chunks(path):
        first = min(first, float(chunk.intended.min()))
        last = max(last, float(chunk.intended.max()))
    if first > last:
        return Tally(profile)
    tally = Tally(profile, first, last - first)
    for chunk in read_chunks(path):
        tally.add(chunk)
    return tally


def _refused(error: SpecError, profile: Profile, context: Context) -> Verdict:
    problem = Problem(str(error), "samples as a run records them")
    return judge_tally(Tally(profile), profile, replace(context, refusal=problem))


def _looks(
    tally: Tally, profile: Profile, levels: Confidences, conditions: Conditions
) -> list[LookVerdict]:
    early = early_looks(tally, profile, levels)
    seconds = min(tally.judged_seconds, profile.duration_seconds)
    return [*early, look_verdict(tally, conditions, levels, round(seconds, 3))]


def _golden_outcome(golden: GoldenReport | None, profile: Profile, confidence: float) -> Outcome:
    return Outcome.PASS if golden is None else golden_outcome(golden, profile, confidence)


def _end_outcome(
    tally: Tally,
    profile: Profile,
    conditions: Conditions | None,
    golden: Outcome,
    context: Context,
) -> Outcome:
    """What the whole run shows when its numbers are believed."""
    if conditions is None:
        return Outcome.INVALID
    parts = {condition.outcome for condition in conditions.all}
    if Outcome.FAIL in parts:
        return Outcome.FAIL
    unfinished = context.unfinished is not None or not is_complete(tally, profile)
    if unfinished or Outcome.INCONCLUSIVE in {*parts, golden}:
        return Outcome.INCONCLUSIVE
    return Outcome.PASS


def _outcome(
    checks: list[Check], looks: list[LookVerdict], golden: Outcome, last: Outcome
) -> Outcome:
    problems = [check for check in checks if check.state == "violated"]
    if golden is Outcome.FAIL:
        return Outcome.FAIL
    if any(not problem.only_forbids_pass for problem in problems):
        return Outcome.INVALID
    if any(look.outcome is Outcome.FAIL for look in looks):
        return Outcome.FAIL
    return Outcome.INVALID if problems else last


def _last_look(look: LookVerdict, last: Outcome) -> Outcome:
    return look.outcome if look.outcome is Outcome.FAIL else last
