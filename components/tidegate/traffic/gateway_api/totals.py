"""Sums over the Envoys of a Gateway that never fall, although Envoys come, go and restart."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tidegate.traffic.gateway_api.envoys import Envoy
from tidegate.traffic.gateway_api.statistics import ProtocolCounts
from tidegate.traffic.router import LatencyBin, UserCounters

_MILLISECONDS = 1e-3


@dataclass(frozen=True)
class _Seen:
    """What one Envoy has counted for one revision, over its protocols."""

    numbers: Counter[str] = field(default_factory=Counter)
    latency: Counter[tuple[float, float]] = field(default_factory=Counter)

    def since(self, before: "_Seen") -> "_Seen":
        """What came since; everything, when the Envoy has begun anew."""
        if any(self.numbers[each] < before.numbers[each] for each in before.numbers):
            return self
        return _Seen(self.numbers - before.numbers, self.latency - before.latency)


class Totals:
    """One revision's counters: what the Envoys of the first update had counted, and what came
    since."""

    def __init__(self) -> None:
        self._began = datetime.now(UTC)
        self._total = _Seen()
        self._last: dict[str, _Seen] = {}

    def update(self, by_envoy: Mapping[Envoy, Iterable[ProtocolCounts]]) -> UserCounters:
        """Add what each Envoy has counted since it was last seen.

        One that could not be seen until now, and is older than the first update, adds nothing yet:
        what it has counted may be of days.
        """
        is_first = not self._last
        for envoy, protocols in by_envoy.items():
            seen = _seen(protocols)
            unseen = _Seen() if is_first or self._has_begun_since(envoy) else seen
            new = seen.since(self._last.get(envoy.uid, unseen))
            self._total.numbers.update(new.numbers)
            self._total.latency.update(new.latency)
            self._last[envoy.uid] = seen
        numbers, latency = self._total.numbers, self._total.latency
        return UserCounters(
            requests=numbers["requests"],
            errors=numbers["errors"],
            retries=numbers["retries"],
            latency=tuple(
                LatencyBin(lower * _MILLISECONDS, (upper - lower) * _MILLISECONDS, count)
                for (lower, upper), count in sorted(latency.items())
                if count
            ),
        )

    def _has_begun_since(self, envoy: Envoy) -> bool:
        return envoy.started_at is not None and envoy.started_at >= self._began


def _seen(protocols: Iterable[ProtocolCounts]) -> _Seen:
    seen = _Seen()
    for each in protocols:
        seen.numbers.update(
            {"requests": each.requests, "errors": each.errors, "retries": each.retries}
        )
        seen.latency.update(bins(each.latency))
    return seen


def bins(cumulative: Mapping[float, int]) -> Counter[tuple[float, float]]:
    """Counts between neighbouring upper ends, in milliseconds.

    What is beyond the last finite end counts as if it ended at twice that.
    """
    found: Counter[tuple[float, float]] = Counter()
    below, lower = 0, 0.0
    for upper, count in sorted(cumulative.items()):
        end = upper if math.isfinite(upper) else 2 * lower
        if count > below:
            found[lower, end] = count - below
        below, lower = max(below, count), end
    return found
