"""Counters of users as a gateway reports them, grown second by second."""

from dataclasses import dataclass, field

from tidegate.traffic.router import LatencyBin, UserCounters


@dataclass
class Users:
    """Requests of one revision. Latencies are in tenths of the latency's decade, as in Envoy."""

    requests: int = 0
    errors: int = 0
    bins: dict[int, int] = field(default_factory=dict)

    def meet(self, requests: int, errors: int = 0, milliseconds: int = 20) -> None:
        """Successful answers take from `milliseconds` on, a few of them longer."""
        self.requests += requests
        self.errors += errors
        for number in range(requests - errors):
            taken = milliseconds + number % 10
            self.bins[taken] = self.bins.get(taken, 0) + 1

    def counters(self) -> UserCounters:
        latency = tuple(
            LatencyBin(taken / 1000, 0.001, count) for taken, count in sorted(self.bins.items())
        )
        return UserCounters(self.requests, self.errors, 0, latency)
