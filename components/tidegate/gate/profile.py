"""What a gate sends and what it asks of the answers."""

import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import Field, model_validator

from tidegate.gate import profile_rules
from tidegate.gate.document import Document
from tidegate.gate.profile_rules import MINIMUM_TAIL_SECONDS, quantile_share
from tidegate.gate.shape import RatePiece, Shape, rate_pieces
from tidegate.spec.errors import SpecError

__all__ = [
    "MINIMUM_TAIL_SECONDS",
    "Profile",
    "RatePiece",
    "check_baseline",
    "load_profile",
    "needed_requests",
    "override_profile",
    "parse_profile",
    "quantile_share",
]

Arrival = Literal["constant", "poisson"]


class Profile(Document):
    """One load test: arrivals, limits, and the conditions an answer set must meet.

    `slos` maps a latency quantile ("p50", "p95", "p99.9") to milliseconds, counted from the
    intended start of a request. `max_error_rate` is a share of the judged requests.
    `comparison_margins` maps quantiles to how much slower than a baseline they may be (0.10: a
    tenth); it is asked only of runs with a baseline arm. `looks_seconds` are moments of the judged
    time at which the run may already FAIL. `min_top1_agreement`, when given, replaces "every golden
    answer agrees within tolerance" by a bound on the share of golden labels that agree.
    Raises SpecError (inside pydantic's ValidationError) for values that cannot work.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")
    description: str
    arrival: Arrival = "constant"
    rate_per_second: float
    shape: Shape | None = None
    duration_seconds: float
    warm_up_seconds: float = 3.0
    deadline_seconds: float = 2.0
    slos: dict[str, float]
    max_error_rate: float
    min_top1_agreement: float | None = None
    comparison_margins: dict[str, float] = Field(
        default_factory=lambda: {"p50": 0.10, "p95": 0.15, "p99": 0.25}
    )
    looks_seconds: tuple[float, ...] = ()
    confidence: float = 0.95
    seed: int = Field(ge=0)
    max_requests: int = 100_000
    max_seconds: float = 3600.0

    @model_validator(mode="after")
    def _can_decide(self) -> Self:
        profile_rules.check_numbers(self)
        profile_rules.check_slos(self)
        profile_rules.check_margins(self)
        profile_rules.check_looks(self)
        profile_rules.check_size(self)
        return self

    @property
    def total_seconds(self) -> float:
        """Length of the schedule, warm-up included."""
        return self.warm_up_seconds + self.duration_seconds

    @property
    def tightest_slo_seconds(self) -> float:
        return min(self.slos.values()) / 1000.0

    @property
    def look_seconds(self) -> tuple[float, ...]:
        """Every look in seconds of judged time; the last one is the end."""
        return (*self.looks_seconds, self.duration_seconds)

    def rate_pieces(self) -> tuple[RatePiece, ...]:
        """The rate over the whole schedule, from the start of the warm-up, without a gap."""
        return self._pieces

    @property
    def expected_requests(self) -> float:
        """Requests of the whole schedule, warm-up included; with Poisson arrivals on average."""
        return math.fsum(piece.requests for piece in self._pieces)

    @property
    def expected_judged_requests(self) -> float:
        return self.expected_requests - self.warm_up_seconds * self.rate_per_second

    @cached_property
    def _pieces(self) -> tuple[RatePiece, ...]:
        return rate_pieces(
            self.shape, self.rate_per_second, self.warm_up_seconds, self.duration_seconds
        )


def load_profile(path: Path) -> Profile:
    """Read a YAML profile. Raises SpecError naming the field, its value and the mend."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(
            "profile", str(path), f"it cannot be read ({error.strerror})", "an existing YAML file"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
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


def needed_requests(profile: Profile, confidence: float) -> int:
    """Requests without which no PASS is possible, even without a single miss."""
    return profile_rules.needed_requests(profile.slos, profile.max_error_rate, confidence)


def check_baseline(profile: Profile) -> None:
    """Refuse a comparison that this profile's duration cannot decide. Raises SpecError."""
    profile_rules.check_baseline(profile)
