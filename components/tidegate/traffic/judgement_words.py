"""A judgement's reasons in words, with the numbers they rest on."""

from collections.abc import Iterable

from tidegate.gate.numbers_in_words import percent, plain, ratio
from tidegate.gate.tally import ShareCounts
from tidegate.traffic.failures import ERROR_RATE
from tidegate.traffic.outcome import ConditionJudgement, StageOutcome
from tidegate.traffic.user_sample import UserSample


def condition(judged: ConditionJudgement) -> str:
    """ "p95 is 1.412 times the old one's (between 1.300 and 1.550, allowed is less than 1.250)"."""
    if judged.estimate is None:
        return f"{judged.name} cannot be compared"
    if judged.name == ERROR_RATE:
        return (
            f"the share of failed requests is {_points(judged.estimate)} percentage points above "
            f"the old one's (between {_points(judged.lower)} and {_points(judged.upper)}, allowed "
            f"is less than {_points(judged.limit)})"
        )
    return (
        f"{judged.name} is {ratio(judged.estimate)} times the old one's (between "
        f"{_ratio(judged.lower)} and {_ratio(judged.upper)}, allowed is less than "
        f"{ratio(judged.limit)})"
    )


def broken(conditions: Iterable[ConditionJudgement]) -> str:
    return f"the new revision is worse: {_joined(conditions)}"


def good(conditions: Iterable[ConditionJudgement]) -> str:
    return f"the new revision is no worse than allowed: {_joined(conditions)}"


def doubt(conditions: Iterable[ConditionJudgement], seconds: float) -> str:
    open_ones = [each for each in conditions if each.outcome is StageOutcome.UNDECIDED]
    return f"{seconds:.0f} s did not show that it is no worse: {_joined(open_ones)}"


def too_few(candidate: int, reference: int, minimum: int, seconds: float) -> str:
    if not candidate:
        return f"no data: the new revision answered no user's request in {seconds:.0f} s"
    return (
        f"too few requests: in {seconds:.0f} s the new revision answered {candidate} and the old "
        f"one {reference}, and {minimum} of either are needed"
    )


def gross(candidate: ShareCounts, reference: ShareCounts) -> str:
    return (
        f"the new revision fails {_failed(candidate)} within {candidate.requests.size} s, the old "
        f"one {_failed(reference)}"
    )


def so_far(
    candidate: UserSample, reference: UserSample, minimum_requests: int, seconds: float
) -> str:
    fewer = min(candidate.requests, reference.requests)
    missing = f"; {minimum_requests} of either are needed" if fewer < minimum_requests else ""
    return (
        f"after {seconds:.0f} s {candidate.errors} of the new revision's {candidate.requests} "
        f"requests failed and {reference.errors} of the old one's {reference.requests}{missing}"
    )


def baked(seconds: float) -> str:
    return f"nothing was shown against the new revision in {seconds:.0f} s with all traffic"


def baking(candidate: UserSample, reference: UserSample) -> str:
    if not reference.requests:
        return "the old revision served nobody before, so there is nothing to compare with"
    return (
        f"{candidate.errors} of the new revision's latest {candidate.requests} requests failed, "
        f"and {reference.errors} of the old one's {reference.requests} before the move"
    )


def _joined(conditions: Iterable[ConditionJudgement]) -> str:
    return "; ".join(condition(each) for each in conditions)


def _failed(counts: ShareCounts) -> str:
    errors, requests = int(counts.misses.sum()), int(counts.requests.sum())
    share = errors / requests if requests else 0.0
    return f"{errors} of {requests} requests ({percent(share)})"


def _points(share: float | None) -> str:
    return "?" if share is None else plain(round(share * 100.0, 4))


def _ratio(value: float | None) -> str:
    return "unknown" if value is None else ratio(value)
