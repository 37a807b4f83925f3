"""Synthetic runs of a service whose true quantiles are known.

An M/G/1 queue behind a machine that slows down now and then: service times are lognormal; the
machine's speed is a Markov chain of normal and slow phases on top of a slow drift. Both arms share
the machine; each also has slow phases of its own.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from tidegate.gate.samples import Samples

FloatArray = npt.NDArray[np.float64]
QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}

_GRID_SECONDS = 0.1
_TRUTH_SECONDS = 50_000.0
_TRUTH_REPEATS = 4
_LAG_SECONDS = 1e-4


@dataclass(frozen=True)
class Phases:
    """Slow phases of a mean length, a mean time apart, that multiply service times."""

    every_seconds: float
    length_seconds: float
    factor: float


@dataclass(frozen=True)
class Machine:
    """`spread` is the standard deviation of log service times; `drift_sd` and `drift_seconds` are
    the standard deviation of log speed and its correlation time."""

    service_seconds: float
    spread: float
    shared: tuple[Phases, ...]
    private: tuple[Phases, ...]
    drift_sd: float
    drift_seconds: float


MEASURED = Machine(
    service_seconds=0.002,
    spread=0.7,
    shared=(Phases(10.0, 0.3, 1.6), Phases(60.0, 4.0, 1.2)),
    private=(Phases(25.0, 0.3, 1.5),),
    drift_sd=0.10,
    drift_seconds=20.0,
)
"""As correlated as a recorded machine: misses of p50 vary 5 (1 s blocks) to 44 (30 s) times as much
as independent ones would, those of p99 5 to 10 times; recorded were 5 to 41 and 4 to 12."""
ROUGH = Machine(
    service_seconds=0.003,
    spread=0.7,
    shared=(Phases(10.0, 0.3, 2.0), Phases(60.0, 4.0, 1.2)),
    private=(Phases(25.0, 0.3, 1.5),),
    drift_sd=0.10,
    drift_seconds=20.0,
)
"""Much rougher than what was recorded: misses of p99 vary 27 to 45 times as much."""
MACHINES = {"measured": MEASURED, "rough": ROUGH}


@dataclass(frozen=True)
class Truth:
    """Seconds by quantile: from the intended start, and from the real one."""

    latency: dict[str, float]
    service: dict[str, float]


@cache
def truth(machine: Machine, rate: float) -> Truth:
    """The stationary quantiles, from twenty million requests at 100/s."""
    generator = np.random.default_rng(20261122)
    latencies, services = [], []
    for _ in range(_TRUTH_REPEATS):
        shared = shared_speed(machine, _TRUTH_SECONDS, generator)
        intended, sent, done = arm_times(machine, rate, _TRUTH_SECONDS, shared, generator)
        latencies.append(done - intended)
        services.append(done - sent)
    return Truth(_quantiles(np.concatenate(latencies)), _quantiles(np.concatenate(services)))


def shared_speed(machine: Machine, seconds: float, generator: np.random.Generator) -> FloatArray:
    """The factor on both arms' service times per 0.1 s."""
    cells = int(seconds / _GRID_SECONDS) + 1
    keep = float(np.exp(-_GRID_SECONDS / machine.drift_seconds))
    noise = generator.normal(0.0, machine.drift_sd * np.sqrt(1.0 - keep**2), cells)
    noise[0] = generator.normal(0.0, machine.drift_sd)
    drift = lfilter([1.0], [1.0, -keep], noise)
    factors: FloatArray = np.exp(drift) * _phases(machine.shared, seconds, generator)
    return factors


def arm_times(
    machine: Machine,
    rate: float,
    seconds: float,
    shared: FloatArray,
    generator: np.random.Generator,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Intended, sent and done of one arm's Poisson arrivals."""
    intended = np.sort(generator.uniform(0.0, seconds, generator.poisson(rate * seconds)))
    sent = np.maximum.accumulate(intended + generator.exponential(_LAG_SECONDS, intended.size))
    factor = shared * _phases(machine.private, seconds, generator)
    service = machine.service_seconds * generator.lognormal(0.0, machine.spread, intended.size)
    service *= factor[np.minimum((sent / _GRID_SECONDS).astype(np.int64), factor.size - 1)]
    return intended, sent, _queue(sent, service)


def stretch(
    sent: FloatArray, done: FloatArray, true: dict[str, float], factors: dict[str, float]
) -> FloatArray:
    """When requests are done if each true quantile were slower by its factor.

    The map of durations is monotone, so every quantile moves exactly by its factor.
    """
    durations = done - sent
    moved = np.interp(
        np.log(durations),
        np.log([true[name] for name in QUANTILES]),
        np.log([factors[name] for name in QUANTILES]),
    )
    stretched: FloatArray = sent + durations * np.exp(moved)
    return stretched


def samples_of(intended: FloatArray, sent: FloatArray, done: FloatArray, arm: int) -> Samples:
    """Rows that all succeeded."""
    ok = np.ones(intended.size, np.bool_)
    return Samples.of_times(intended, sent, done, ok, np.full(intended.size, arm, np.int8))


def _phases(
    phases: tuple[Phases, ...], seconds: float, generator: np.random.Generator
) -> FloatArray:
    factors = np.ones(int(seconds / _GRID_SECONDS) + 1)
    for phase in phases:
        at = generator.exponential(phase.every_seconds)
        while at < seconds:
            end = at + generator.exponential(phase.length_seconds)
            factors[int(at / _GRID_SECONDS) : int(end / _GRID_SECONDS) + 1] *= phase.factor
            at = end + generator.exponential(phase.every_seconds)
    return factors


def _queue(sent: FloatArray, service: FloatArray) -> FloatArray:
    """When each request is done behind one first-come first-served server (Lindley)."""
    work = np.cumsum(service)
    done: FloatArray = work + np.maximum.accumulate(sent - (work - service))
    return done


def _quantiles(seconds: FloatArray) -> dict[str, float]:
    return {name: float(np.quantile(seconds, share)) for name, share in QUANTILES.items()}
