"""Which values of a profile cannot work, and why."""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

from tidegate.spec.errors import SpecError

if TYPE_CHECKING:
    from tidegate.gate.profile import Profile

MINIMUM_TAIL_SECONDS = 300.0
"""Stalls and slow phases decide a p99; on less time even a bound that corrects for correlation
passed 14 to 28 of 100 runs whose true p99 lay exactly on the SLO, where 5 are meant to."""
TAIL_SHARE = 0.99
COMPARISON_BLOCK_SECONDS = 5.0
MINIMUM_BLOCKS = 12
"""Fewer blocks estimate a variance too poorly to be used."""


def quantile_share(quantile: str) -> float:
    """ "p99.9" → 0.999. Raises SpecError for anything that is not a quantile between 0 and 1."""
    try:
        percent = float(quantile.removeprefix("p")) if quantile.startswith("p") else math.nan
    except ValueError:
        percent = math.nan
    if not 0.0 < percent < 100.0:
        raise SpecError(
            "slos",
            quantile,
            "it is not a latency quantile between 0 and 100 percent",
            "p50, p95 or p99",
        )
    return percent / 100.0


def needed_requests(slos: Mapping[str, float], max_error_rate: float, confidence: float) -> int:
    """n = ln alpha / ln(1 - share) for the smallest allowed share of misses: the point where the
    Clopper-Pearson upper bound of zero misses reaches that share.
    """
    smallest = min([*(1.0 - quantile_share(quantile) for quantile in slos), max_error_rate])
    return math.floor(math.log(1.0 - confidence) / math.log1p(-smallest)) + 1


def needed_seconds(slos: Mapping[str, float]) -> float:
    """Judged seconds without which no PASS is possible, whatever the rate."""
    tail = any(quantile_share(quantile) >= TAIL_SHARE for quantile in slos)
    return MINIMUM_TAIL_SECONDS if tail else 0.0


def check_numbers(profile: "Profile") -> None:
    positive = {
        "ratePerSecond": (profile.rate_per_second, "60"),
        "durationSeconds": (profile.duration_seconds, "45"),
        "deadlineSeconds": (profile.deadline_seconds, "2"),
    }
    for field, (value, example) in positive.items():
        if value <= 0:
            raise SpecError(
                field, value, "nothing would be sent", f"a number above 0, such as {example}"
            )
    if profile.warm_up_seconds < 0:
        raise SpecError("warmUpSeconds", profile.warm_up_seconds, "time is not negative", "3")
    _check_share("maxErrorRate", profile.max_error_rate, "0.005")
    if profile.min_top1_agreement is not None:
        _check_share("minTop1Agreement", profile.min_top1_agreement, "0.99")
    if not 0.5 <= profile.confidence < 1.0:
        raise SpecError(
            "confidence",
            profile.confidence,
            "it is not the confidence of a one-sided bound",
            "at least 0.5 and below 1, such as 0.95",
        )


def check_slos(profile: "Profile") -> None:
    if not profile.slos:
        raise SpecError("slos", {}, "without an SLO nothing is judged", "{p95: 100}")
    for quantile, milliseconds in profile.slos.items():
        quantile_share(quantile)
        if milliseconds <= 0:
            raise SpecError(
                f"slos.{quantile}",
                milliseconds,
                "no answer takes that long",
                "milliseconds above 0",
            )
        if milliseconds > profile.deadline_seconds * 1000.0:
            raise SpecError(
                f"slos.{quantile}",
                milliseconds,
                f"it lies beyond the deadline of {profile.deadline_seconds:g} s, where a "
                "request is an error already",
                "an SLO below deadlineSeconds, or a longer deadline",
            )


def check_margins(profile: "Profile") -> None:
    for quantile, margin in profile.comparison_margins.items():
        quantile_share(quantile)
        if margin <= 0:
            raise SpecError(
                f"comparisonMargins.{quantile}",
                margin,
                "no number of requests shows that two revisions are exactly as fast",
                "how much slower it may be, such as 0.10",
            )


def check_looks(profile: "Profile") -> None:
    looks = (0.0, *profile.looks_seconds, profile.duration_seconds)
    if any(later <= earlier for earlier, later in pairwise(looks)):
        raise SpecError(
            "looksSeconds",
            list(profile.looks_seconds),
            f"looks come one after the other inside the {profile.duration_seconds:g} judged "
            "seconds, and the end is a look already",
            "increasing seconds above 0 and below durationSeconds, such as [60, 120, 180]",
        )


def check_size(profile: "Profile") -> None:
    needed = needed_requests(profile.slos, profile.max_error_rate, profile.confidence)
    least = needed_seconds(profile.slos)
    judged = profile.expected_judged_requests
    if judged < needed:
        rate = judged / profile.duration_seconds
        raise SpecError(
            "durationSeconds",
            profile.duration_seconds,
            f"at {rate:g} requests/s cannot decide what is asked: "
            f"{needed} requests are needed even without a single miss",
            f"at least {max(least, math.ceil(needed / rate)):g} seconds",
        )
    if profile.duration_seconds < least:
        raise SpecError(
            "durationSeconds",
            profile.duration_seconds,
            f"cannot decide what is asked: on less than {least:g} s a p99 passes by luck, because "
            "requests of one moment share their stalls",
            f"at least {least:g} seconds, or no SLO of p99 and above",
        )
    if profile.expected_requests > profile.max_requests:
        raise SpecError(
            "maxRequests",
            profile.max_requests,
            f"the schedule has about {profile.expected_requests:.0f} requests",
            "a lower rate, a shorter duration or a higher limit",
        )
    if profile.total_seconds > profile.max_seconds:
        raise SpecError(
            "maxSeconds",
            profile.max_seconds,
            f"warm-up and load take {profile.total_seconds:g} s",
            "a shorter duration or a higher limit",
        )


def check_baseline(profile: "Profile") -> None:
    least = MINIMUM_BLOCKS * COMPARISON_BLOCK_SECONDS
    if profile.comparison_margins and profile.duration_seconds < least:
        raise SpecError(
            "durationSeconds",
            profile.duration_seconds,
            f"cannot decide a comparison, which takes {MINIMUM_BLOCKS} blocks of "
            f"{COMPARISON_BLOCK_SECONDS:g} s",
            f"at least {least:g} seconds, or comparisonMargins: {{}}",
        )


def _check_share(field: str, value: float, example: str) -> None:
    if not 0.0 < value < 1.0:
        raise SpecError(
            field,
            value,
            "no finite number of requests can show it",
            f"a share above 0 and below 1, such as {example}",
        )
