"""Tables of docs/gate.md: judged seconds a PASS needs, and the profiles.

`python -m tests.unit.gate.needed_seconds` prints them from the code that judges.
"""

import math
from pathlib import Path

from tidegate.gate.numbers_in_words import percent
from tidegate.gate.profile import Profile, load_profile
from tidegate.gate.profile_rules import needed_seconds, quantile_share
from tidegate.gate.statistics import ShareBounds, attempt_confidence, requests_to_pass

QUANTILES = ("p50", "p90", "p95", "p99", "p99.9")
RATES = (10, 60, 100, 1000)
CONFIDENCE = attempt_confidence(0.95, 1)
"""What a first attempt decides at under the confidence of most profiles."""
DESIGN_EFFECT = 10.0
HEADROOMS = (0.25, 0.5, 0.75)
"""Share of requests over the SLO, as a part of the share that may be."""
_MANY = 10**7


def seconds(quantile: str, rate: float, used: float) -> int:
    """Judged seconds at `rate` requests/s when `used` of the allowed share is over the SLO.

    Without a single miss no correlation of misses can be measured, and the design effect is 1.
    """
    allowed = 1.0 - quantile_share(quantile)
    bounds = ShareBounds(
        misses=round(used * allowed * _MANY),
        requests=_MANY,
        design_effect=DESIGN_EFFECT if used else 1.0,
        lower=0.0,
        upper=1.0,
    )
    needed = requests_to_pass(bounds, allowed, CONFIDENCE)
    assert needed is not None
    return max(math.ceil(needed / rate), math.ceil(needed_seconds({quantile: 1.0})))


def needed_rows() -> list[str]:
    """The lines of the table of needed seconds, without its head."""
    return [
        f"| {quantile} | {rate} | "
        + " | ".join(f"{seconds(quantile, rate, used):,}" for used in (0.0, *HEADROOMS))
        + " |"
        for quantile in QUANTILES
        for rate in RATES
    ]


def profile_rows(folder: Path) -> list[str]:
    """One line for each profile, the shortest first."""
    profiles = [load_profile(path) for path in folder.glob("*.yaml")]
    return [_profile_row(each) for each in sorted(profiles, key=lambda each: each.total_seconds)]


def _profile_row(profile: Profile) -> str:
    rate = f"{profile.rate_per_second:g}/s {profile.arrival}"
    if profile.shape is not None:
        rate += f", {profile.shape.kind}"
    slos = ", ".join(profile.slos)
    looks = ", ".join(f"{each:g}" for each in profile.looks_seconds)
    return (
        f"| `{profile.name}` | {rate} | {profile.duration_seconds:,.0f} | {slos} | "
        f"{percent(profile.max_error_rate)} | {percent(profile.confidence)} | {looks or 'none'} |"
    )


if __name__ == "__main__":
    print("\n".join([*needed_rows(), *profile_rows(Path("loadtests/profiles"))]))
