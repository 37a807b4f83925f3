"""What users of a revision met between two looks at its counters."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.traffic.router import LatencyBin, UserCounters


@dataclass(frozen=True)
class UserWindow:
    """Requests of a span of time. Quantiles are None when nothing was answered in it."""

    seconds: float
    requests: int
    errors: int
    retries: int
    p50_milliseconds: float | None
    p95_milliseconds: float | None
    p99_milliseconds: float | None

    @property
    def requests_per_second(self) -> float:
        return self.requests / self.seconds if self.seconds > 0 else 0.0

    @property
    def error_share(self) -> float | None:
        """Failed requests among all, None without requests."""
        return self.errors / self.requests if self.requests else None


def user_window(seconds: float, before: UserCounters, after: UserCounters) -> UserWindow:
    """What was added in `seconds`; from zero when the router was restarted in between."""
    if after.requests < before.requests or after.errors < before.errors:
        before = UserCounters(requests=0, errors=0, retries=0, latency=())
    added = _added(before.latency, after.latency)
    return UserWindow(
        seconds=seconds,
        requests=after.requests - before.requests,
        errors=after.errors - before.errors,
        retries=max(0, after.retries - before.retries),
        p50_milliseconds=_quantile_milliseconds(added, 0.5),
        p95_milliseconds=_quantile_milliseconds(added, 0.95),
        p99_milliseconds=_quantile_milliseconds(added, 0.99),
    )


def _added(before: Sequence[LatencyBin], after: Sequence[LatencyBin]) -> list[LatencyBin]:
    known = {each.lower_seconds: each.count for each in before}
    grown = ((each, each.count - known.get(each.lower_seconds, 0)) for each in after)
    return [LatencyBin(each.lower_seconds, each.width_seconds, n) for each, n in grown if n > 0]


def _quantile_milliseconds(bins: Sequence[LatencyBin], share: float) -> float | None:
    """Inverse CDF, a bin's requests spread evenly over it."""
    total = sum(each.count for each in bins)
    if not total:
        return None
    rank = max(math.ceil(share * total - 1e-9), 1)
    for each in bins:
        if rank <= each.count:
            return 1e3 * (each.lower_seconds + each.width_seconds * rank / each.count)
        rank -= each.count
    raise AssertionError("the rank lies beyond all bins")
