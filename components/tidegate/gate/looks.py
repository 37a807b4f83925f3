"""Looks at a run before its end: evidence against a release counts at once, for it only last."""

import math

from tidegate.gate.conditions import Conditions, Confidences, confidences, evaluate
from tidegate.gate.explaining import condition_words
from tidegate.gate.profile import Profile
from tidegate.gate.tally import Tally
from tidegate.gate.verdict import ConditionBounds, LookVerdict, Outcome


def judge_look(
    tally: Tally, profile: Profile, seconds: float, confidence: float | None = None
) -> LookVerdict:
    """FAIL or INCONCLUSIVE from the requests due in the first judged seconds.

    All of them must be settled and added. `confidence` replaces the profile's, as in judging.
    """
    levels = confidences(tally, profile, profile.confidence if confidence is None else confidence)
    return look_verdict(tally, evaluate(tally, profile, levels, seconds), levels, seconds)


def look_verdict(
    tally: Tally, conditions: Conditions, levels: Confidences, seconds: float
) -> LookVerdict:
    failed = [each for each in conditions.all if each.outcome is Outcome.FAIL]
    words = "; ".join(condition_words(each) for each in failed)
    return LookVerdict(
        seconds=seconds,
        requests=conditions.error_rate.bounds.requests,
        confidence=levels.to_fail,
        outcome=Outcome.FAIL if failed else Outcome.INCONCLUSIVE,
        reason=f"look at {seconds:g} s: {words}" if failed else f"look at {seconds:g} s: go on",
        conditions=conditions.record(),
    )


def early_looks(tally: Tally, profile: Profile, levels: Confidences) -> list[LookVerdict]:
    """The looks before the end that the samples reach, up to the first that fails."""
    found: list[LookVerdict] = []
    for seconds in profile.looks_seconds:
        if tally.judged_seconds < seconds:
            break
        conditions = evaluate(tally, profile, levels, seconds)
        found.append(look_verdict(tally, conditions, levels, seconds))
        if found[-1].outcome is Outcome.FAIL:
            break
    return found


def bounds_so_far(
    tally: Tally, profile: Profile, confidence: float | None = None
) -> tuple[ConditionBounds, ...]:
    """Every condition's bounds now, for showing; nothing is decided by them."""
    levels = confidences(tally, profile, profile.confidence if confidence is None else confidence)
    return evaluate(tally, profile, levels, math.inf).record()
