"""Ends a load that slows down the users of the baseline.

The probe is the baseline arm itself: its requests stand in the same queue as the users'. During
the warm-up it is asked at a quarter of its rate; that latency is the reference. Later a request is
slow when it takes longer than twice the reference's p90 and 5 ms more than it. When, of the
requests of the last ten seconds, more than half are slow at 99.9% confidence, the load ends.
"""

from collections import deque

import numpy as np

from tidegate.gate.records import Rows
from tidegate.gate.statistics import lower_bound

WINDOW_SECONDS = 10.0
REFERENCE_QUANTILE = 0.90
SLOW_FACTOR = 2.0
SLOW_MARGIN_SECONDS = 0.005
SLOW_SHARE = 0.5
CONFIDENCE = 0.999
_FEWEST = 20


class UserLatencyGuard:
    """Sees the baseline's settled rows in order of their intended start."""

    def __init__(self, warm_up_seconds: float) -> None:
        self._warm_up_seconds = warm_up_seconds
        self._reference: list[float] = []
        self._limit: float | None = None
        self._recent: deque[tuple[float, bool]] = deque()

    def add(self, rows: Rows) -> str | None:
        """Why the load must end, or None."""
        latency = np.where(rows["ok"], rows["done"] - rows["intended"], np.inf)
        for intended, seconds in zip(rows["intended"].tolist(), latency.tolist(), strict=True):
            if intended < self._warm_up_seconds or len(self._reference) < _FEWEST:
                self._reference.append(seconds)
                continue
            self._recent.append((intended, seconds > self._slow_from()))
        return self._judge()

    def _slow_from(self) -> float:
        if self._limit is None:
            usual = float(np.quantile(self._reference, REFERENCE_QUANTILE, method="higher"))
            self._limit = max(SLOW_FACTOR * usual, usual + SLOW_MARGIN_SECONDS)
        return self._limit

    def _judge(self) -> str | None:
        recent = self._recent
        while recent and recent[-1][0] - recent[0][0] > WINDOW_SECONDS:
            recent.popleft()
        slow, count = sum(is_slow for _, is_slow in recent), len(recent)
        if count < _FEWEST or lower_bound(slow, count, CONFIDENCE) <= SLOW_SHARE:
            return None
        return (
            f"users' latency rose: {slow} of the baseline's last {count} requests took longer than "
            f"{self._slow_from() * 1000:.1f} ms, twice what they took during the warm-up"
        )
