"""How much load: generator processes for a rate, and what a baseline with users is spared."""

import os

from tidegate.gate.request import Baseline

REQUESTS_PER_SECOND_AND_WORKER = 2000.0
"""Half of what one process sustains here, so that its lag stays small."""
_USERS_FROM_PER_SECOND = 1.0
"""A baseline with fewer requests than that serves nobody who could notice."""


def workers_for(rate_per_second: float) -> int:
    """Generator processes for a rate, one core left to the server at least."""
    cores = max(1, (os.cpu_count() or 1) - 1)
    return max(1, min(cores, round(rate_per_second / REQUESTS_PER_SECOND_AND_WORKER)))


def baseline_rate(rate: float, baseline: Baseline, users: float | None) -> float:
    """Requests per second for a baseline that gets `users` requests per second from others.

    None: its counters are unknown, or nobody counts.
    """
    if baseline.max_rate_per_second is not None:
        rate = min(rate, baseline.max_rate_per_second)
    if users is None or users < _USERS_FROM_PER_SECOND:
        return rate
    return min(rate, users * baseline.max_share / (1.0 - baseline.max_share))
