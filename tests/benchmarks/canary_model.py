"""Users of two revisions of one service while a switch moves them, as the gateway counts them.

Either revision is an M/G/1 queue of `gate_models` behind the same machine. Snapshots are
cumulative counters with Envoy's bins: two significant digits of whole microseconds.
"""

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt

from tests.benchmarks.gate_models import MEASURED, Machine, arm_times, shared_speed
from tidegate.traffic.router import LatencyBin, UserCounters

SNAPSHOT_SECONDS = 1.02
_BINS_PER_DECADE = 90
_MICROSECONDS = 1e-6
_AMPLE = 50.0
USUAL = replace(MEASURED, service_seconds=0.0012)
"""As correlated as MEASURED, at a load that a service is run at: 300/s use 46% of its time."""
_CELLS = 4096
"""More than there are bins of durations."""


@dataclass(frozen=True)
class Behaviour:
    """What users of a revision meet. `error_rate` fails requests independently; in a burst (on
    average every `burst_every_seconds`, `burst_seconds` long) `burst_share` of them fail."""

    machine: Machine = USUAL
    error_rate: float = 0.001
    burst_share: float = 0.0
    burst_every_seconds: float = 100.0
    burst_seconds: float = 0.3


SAME = Behaviour()
BURSTS = Behaviour(error_rate=0.0, burst_share=0.3)
"""0.09% of all requests fail, in bursts of which each revision has its own."""
FAILING = Behaviour(error_rate=0.02)
BROKEN = Behaviour(error_rate=1.0)
FLAKY = Behaviour(error_rate=0.2)
SLOWER = Behaviour(replace(USUAL, service_seconds=1.4 * USUAL.service_seconds))
SLOWER_TAIL = Behaviour(replace(USUAL, spread=USUAL.spread + np.log(1.4) / 1.6449))
"""The p95 of service times 40% longer, their median the same."""


@dataclass(frozen=True)
class Service:
    """`queueing`: a revision answers one request at a time, so its latency grows with its share of
    the traffic. Otherwise it has fifty times what it needs."""

    rate_per_second: float
    queueing: bool


def beside(
    service: Service,
    candidate: Behaviour,
    reference: Behaviour,
    weight: int,
    seconds: float,
    generator: np.random.Generator,
) -> Iterator[tuple[float, UserCounters, UserCounters]]:
    """Snapshots of a step: seconds, new revision, old one."""
    shared = shared_speed(USUAL, seconds, generator)
    rate = service.rate_per_second
    new = _counters(service, candidate, rate * weight / 100, seconds, shared, generator)
    old = _counters(service, reference, rate * (100 - weight) / 100, seconds, shared, generator)
    for (moment, first), (_, second) in zip(new, old, strict=True):
        yield moment, first, second


def one_after_the_other(
    service: Service,
    candidate: Behaviour,
    reference: Behaviour,
    before_seconds: float,
    seconds: float,
    generator: np.random.Generator,
) -> tuple[list[tuple[float, UserCounters]], Iterator[tuple[float, UserCounters]]]:
    """Snapshots of the old revision with all traffic, then of the new one with all traffic."""
    speed = shared_speed(USUAL, before_seconds + seconds, generator)
    cells = round(before_seconds / (before_seconds + seconds) * speed.size)
    rate = service.rate_per_second
    old = _counters(service, reference, rate, before_seconds, speed[:cells], generator)
    new = _counters(service, candidate, rate, seconds, speed[cells - 1 :], generator)
    return list(old), new


def _counters(
    service: Service,
    behaviour: Behaviour,
    rate: float,
    seconds: float,
    shared: npt.NDArray[np.float64],
    generator: np.random.Generator,
) -> Iterator[tuple[float, UserCounters]]:
    machine, scale = behaviour.machine, 1.0
    if not service.queueing:
        machine, scale = replace(machine, service_seconds=machine.service_seconds / _AMPLE), _AMPLE
    cells = int(seconds / 0.1) + 1
    shared = np.pad(shared, (0, max(0, cells - shared.size)), mode="edge")[:cells]
    _, sent, done = arm_times(machine, rate, seconds, shared, generator)
    failed = generator.uniform(size=sent.size) < _error_rate(behaviour, sent, seconds, generator)
    bins = np.where(failed, -1, _envoy_bin((done - sent) * scale))
    snapshot = np.ceil(done / SNAPSHOT_SECONDS).astype(np.int64)
    last = int(seconds / SNAPSHOT_SECONDS)
    seen = snapshot <= last
    return _accumulated(snapshot[seen], bins[seen], last)


def _accumulated(
    snapshot: npt.NDArray[np.int64], bins: npt.NDArray[np.int64], last: int
) -> Iterator[tuple[float, UserCounters]]:
    """Counters at each snapshot; `bins` are -1 for failed requests."""
    cells, counts = np.unique(snapshot * _CELLS + bins + 1, return_counts=True)
    numbers, shifted = np.divmod(cells, _CELLS)
    starts = np.searchsorted(numbers, np.arange(last + 2))
    requests = errors = 0
    held: dict[int, LatencyBin] = {}
    ascending: list[int] = []
    for number in range(last + 1):
        added = slice(starts[number], starts[number + 1])
        for place, count in zip(shifted[added].tolist(), counts[added].tolist(), strict=True):
            at = place - 1
            requests += count
            if at < 0:
                errors += count
                continue
            if at not in held:
                insort(ascending, at)
            held[at] = _latency_bin(at, count + (held[at].count if at in held else 0))
        latency = tuple([held[at] for at in ascending])
        yield number * SNAPSHOT_SECONDS, UserCounters(requests, errors, 0, latency)


def _error_rate(
    behaviour: Behaviour,
    sent: npt.NDArray[np.float64],
    seconds: float,
    generator: np.random.Generator,
) -> npt.NDArray[np.float64]:
    rate = np.full(sent.size, behaviour.error_rate)
    if behaviour.burst_share:
        bursts = generator.poisson(seconds / behaviour.burst_every_seconds)
        for begin in generator.uniform(0.0, seconds, bursts):
            length = generator.exponential(behaviour.burst_seconds)
            rate[(sent >= begin) & (sent < begin + length)] = behaviour.burst_share
    return rate


def _envoy_bin(seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Envoy's histograms keep two significant digits of whole numbers, here microseconds."""
    value = np.maximum(np.floor(seconds / _MICROSECONDS), 10.0)
    decade = np.floor(np.log10(value) + 1e-12).astype(np.int64)
    digits = np.floor(value / 10.0 ** (decade - 1)).astype(np.int64)
    found: npt.NDArray[np.int64] = decade * _BINS_PER_DECADE + digits - 10
    return found


@cache
def _latency_bin(at: int, count: int) -> LatencyBin:
    decade, digits = divmod(at, _BINS_PER_DECADE)
    width = 10.0 ** (decade - 1) * _MICROSECONDS
    return LatencyBin((digits + 10) * width, width, count)
