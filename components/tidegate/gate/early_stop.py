"""When to stop a load that cannot end in a PASS any more."""

from tidegate.gate.profile import Profile
from tidegate.gate.statistics import share_bounds
from tidegate.gate.tally import Tally

EARLY_STOP_CONFIDENCE = 0.999
EARLY_STOP_REQUESTS = 100
EARLY_STOP_FACTOR = 5.0


def hopeless(tally: Tally, profile: Profile) -> str | None:
    """Whether errors rule a PASS out by far, so that going on would only hurt.

    True when, after at least 100 judged requests, the error rate lies above five times its limit
    at 99.9% confidence. The tally must hold the requests due before the first unanswered one and
    no others: whatever answers fastest must not decide alone.
    """
    bounds = share_bounds(tally.errors(), EARLY_STOP_CONFIDENCE)
    limit = EARLY_STOP_FACTOR * profile.max_error_rate
    if bounds.requests < EARLY_STOP_REQUESTS or bounds.lower <= limit:
        return None
    return (
        f"{bounds.misses} of the first {bounds.requests} judged requests failed; the error rate "
        f"is above {limit:.2%} at {EARLY_STOP_CONFIDENCE:.1%} confidence"
    )
