"""What a gate sends and what it asks of the answers."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import Field, model_validator

from tidegate.gate.document import Document
from tidegate.spec.errors import SpecError

Arrival = Literal["constant", "poisson"]


class Profile(Document):
    """One load test: arrivals, limits, and the conditions an answer set must meet.

    `slos` maps a latency quantile ("p50", "p95", "p99.9") to milliseconds, counted from the
    intended start of a request. `max_error_rate` is a share of the judged requests.
    Raises SpecError (inside pydantic's ValidationError) for values that cannot work.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")
    description: str
    arrival: Arrival = "constant"
    rate_per_second: float
    duration_seconds: float
    warm_up_seconds: float = 3.0
    deadline_seconds: float = 2.0
    slos: dict[str, float]
    max_error_rate: float
    confidence: float = 0.95
    seed: int = Field(ge=0)
    max_requests: int = 100_000

    @model_validator(mode="after")
    def _can_decide(self) -> Self:
        _check_numbers(self)
        _check_slos(self)
        _check_size(self)
        return self

    @property
    def total_seconds(self) -> float:
        """Length of the schedule, warm-up included."""
        return self.warm_up_seconds + self.duration_seconds

    @property
    def tightest_slo_seconds(self) -> float:
        return min(self.slos.values()) / 1000.0


def load_profile(path: Path) -> Profile:
    """Read a YAML profile. Raises SpecError naming the field, its value and the mend."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(
            "profile", str(path), f"it cannot be read ({error.strerror})", "an existing YAML file"
        ) from None
    except yaml.YAMLError as error:
        raise SpecError("profile", str(path), f"it is not YAML ({error})", "valid YAML") from None
    return parse_profile(content, str(path))


def parse_profile(content: object, source: str) -> Profile:
    """Validate a mapping as it stands in a file. Raises SpecError."""
    if not isinstance(content, Mapping):
        raise SpecError(
            source, content, "it is not a mapping of fields", "name: …, slos: {p95: 100}"
        )
    return Profile.parse(content, source)


def override_profile(
    profile: Profile,
    *,
    slos: Mapping[str, float] | None = None,
    rate_per_second: float | None = None,
    max_error_rate: float | None = None,
) -> Profile:
    """The profile with a service's own settings in place. Raises SpecError like load_profile."""
    content = profile.model_dump()
    if slos is not None:
        content["slos"] = dict(slos)
    if rate_per_second is not None:
        content["rate_per_second"] = rate_per_second
    if max_error_rate is not None:
        content["max_error_rate"] = max_error_rate
    return parse_profile(content, f"profile {profile.name}")


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


def needed_requests(profile: Profile, confidence: float) -> int:
    """Requests without which no PASS is possible, even without a single miss.

    n = ln alpha / ln(1 - share) for the smallest allowed share of misses: the point where the
    Clopper-Pearson upper bound of zero misses reaches that share.
    """
    shares = [1.0 - quantile_share(quantile) for quantile in profile.slos]
    smallest = min([*shares, profile.max_error_rate])
    return math.floor(math.log(1.0 - confidence) / math.log1p(-smallest)) + 1


def _check_numbers(profile: Profile) -> None:
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
    if not 0.0 < profile.max_error_rate < 1.0:
        raise SpecError(
            "maxErrorRate",
            profile.max_error_rate,
            "no finite number of requests can show it",
            "a share above 0 and below 1, such as 0.005",
        )
    if not 0.5 <= profile.confidence < 1.0:
        raise SpecError(
            "confidence",
            profile.confidence,
            "it is not the confidence of a one-sided bound",
            "at least 0.5 and below 1, such as 0.95",
        )


def _check_slos(profile: Profile) -> None:
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


def _check_size(profile: Profile) -> None:
    needed = needed_requests(profile, profile.confidence)
    if profile.rate_per_second * profile.duration_seconds < needed:
        raise SpecError(
            "durationSeconds",
            profile.duration_seconds,
            f"at {profile.rate_per_second:g} requests/s cannot decide what is asked: "
            f"{needed} requests are needed even without a single miss",
            f"at least {math.ceil(needed / profile.rate_per_second)} seconds",
        )
    planned = profile.rate_per_second * profile.total_seconds
    if planned > profile.max_requests:
        raise SpecError(
            "maxRequests",
            profile.max_requests,
            f"the schedule has about {planned:.0f} requests",
            "a lower rate, a shorter duration or a higher limit",
        )
