"""Seeded arrivals: when each request starts, over which protocol, with which golden example."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegate.gate.profile import Profile
from tidegate.gate.samples import CodeArray, FloatArray, ProtocolCode


@dataclass(frozen=True)
class Schedule:
    """Arrays of one length, ordered by `due` (seconds from the start of the warm-up)."""

    due: FloatArray
    protocol: CodeArray
    example: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.due.size)


def make_schedule(profile: Profile, protocols: Sequence[ProtocolCode], examples: int) -> Schedule:
    """The schedule of one run; the same profile, protocols and golden count give the same one.

    Protocols and examples come in shuffled rounds, so each is used equally often and neither is
    tied to the other nor to a phase of the schedule.
    """
    generator = np.random.default_rng(profile.seed)
    due = _arrivals(profile, generator)
    codes = np.array(protocols, np.int8)
    return Schedule(
        due=due,
        protocol=codes[_shuffled_rounds(len(protocols), due.size, generator)],
        example=_shuffled_rounds(examples, due.size, generator),
    )


def _arrivals(profile: Profile, generator: np.random.Generator) -> FloatArray:
    rate, total = profile.rate_per_second, profile.total_seconds
    if profile.arrival == "constant":
        return np.arange(round(rate * total), dtype=np.float64) / rate
    # A Poisson process on [0, T): a Poisson number of independent uniform arrivals.
    return np.sort(generator.uniform(0.0, total, generator.poisson(rate * total)))


def _shuffled_rounds(
    size: int, count: int, generator: np.random.Generator
) -> npt.NDArray[np.int64]:
    rounds = -(-count // size)
    table = np.tile(np.arange(size, dtype=np.int64), (rounds, 1))
    return generator.permuted(table, axis=1).ravel()[:count]
