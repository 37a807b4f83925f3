"""When to stop a load that cannot end in a PASS any more."""

import numpy as np

from tidegate.gate.judging import judged_rows
from tidegate.gate.profile import Profile
from tidegate.gate.samples import ErrorKind, Samples
from tidegate.gate.statistics import share_bounds

EARLY_STOP_CONFIDENCE = 0.999
EARLY_STOP_REQUESTS = 100
EARLY_STOP_FACTOR = 5.0


def hopeless(samples: Samples, profile: Profile) -> str | None:
    """Whether errors rule a PASS out by far, so that going on would only hurt.

    True when, after at least 100 judged requests, the error rate lies above five times its limit
    at 99.9% confidence. Only requests due before the first unanswered one count: whatever answers
    fastest must not decide alone.
    """
    judged = samples.where(judged_rows(samples, profile))
    waiting = np.flatnonzero(judged.kind == ErrorKind.UNFINISHED)
    settled = judged.where(slice(0, int(waiting[0]) if waiting.size else None))
    if len(settled) < EARLY_STOP_REQUESTS:
        return None
    bounds = share_bounds(~settled.ok, settled.intended, EARLY_STOP_CONFIDENCE)
    limit = EARLY_STOP_FACTOR * profile.max_error_rate
    if bounds.lower <= limit:
        return None
    return (
        f"{bounds.misses} of the first {bounds.requests} judged requests failed; the error rate "
        f"is above {limit:.2%} at {EARLY_STOP_CONFIDENCE:.1%} confidence"
    )
