"""Seeded arrivals: when each request starts, to which arm, over which protocol, with which example.

The schedule is made piece by piece, so that a day of load needs no more memory than a minute.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegate.gate.profile import Profile
from tidegate.gate.samples import BASELINE_ARM, CANDIDATE_ARM, CodeArray, FloatArray, ProtocolCode

SEGMENT_SECONDS = 1.0
BASELINE_WARM_UP_SHARE = 0.25


@dataclass(frozen=True)
class Schedule:
    """Arrays of one length, ordered by `due` (seconds from the start of the warm-up)."""

    due: FloatArray
    arm: CodeArray
    protocol: CodeArray
    example: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.due.size)

    def share_of(self, worker: int, workers: int, first: int) -> "Schedule":
        """Every `workers`-th request, counting from `first` for row 0.

        The union over all workers is the whole schedule, whatever their number.
        """
        start = (worker - first) % workers
        chosen = slice(start, None, workers)
        return Schedule(
            self.due[chosen], self.arm[chosen], self.protocol[chosen], self.example[chosen]
        )


@dataclass(frozen=True)
class ArmPlan:
    """`rate_factor` scales the profile's rate. A baseline begins with a quarter of its rate: what
    it takes then is the reference for what the load does to its users."""

    arm: int
    protocols: tuple[ProtocolCode, ...]
    rate_factor: float = 1.0

    def factor_at(self, seconds: float, warm_up_seconds: float) -> float:
        gentle = self.arm == BASELINE_ARM and seconds < warm_up_seconds
        return self.rate_factor * (BASELINE_WARM_UP_SHARE if gentle else 1.0)


def segments(profile: Profile, arms: Sequence[ArmPlan], examples: int) -> Iterator[Schedule]:
    """The schedule of one run in consecutive pieces of SEGMENT_SECONDS, empty ones included.

    The same profile, arms and number of golden examples give the same schedule. Each arm has
    arrivals of its own, independent of the other's. Protocols and examples come in shuffled
    rounds, so each is used equally often and neither is tied to the other nor to a phase.
    """
    streams = [_ArmStream(profile, plan, examples) for plan in arms]
    for number in range(math.ceil(profile.total_seconds / SEGMENT_SECONDS)):
        start = number * SEGMENT_SECONDS
        end = min(start + SEGMENT_SECONDS, profile.total_seconds)
        yield _merged([stream.between(start, end) for stream in streams])


def make_schedule(profile: Profile, protocols: Sequence[ProtocolCode], examples: int) -> Schedule:
    """The whole schedule of a run without a baseline."""
    return _merged(list(segments(profile, [ArmPlan(CANDIDATE_ARM, tuple(protocols))], examples)))


def planned_requests(profile: Profile, arms: Sequence[ArmPlan], examples: int) -> int:
    """The number of rows of `segments`."""
    return sum(len(segment) for segment in segments(profile, arms, examples))


class _ArmStream:
    def __init__(self, profile: Profile, plan: ArmPlan, examples: int) -> None:
        self._plan = plan
        self._poisson = profile.arrival == "poisson"
        arrivals, protocols, order = (
            np.random.default_rng([profile.seed, plan.arm, use]) for use in range(3)
        )
        self._arrivals = arrivals
        self._protocols = _Rounds(len(plan.protocols), protocols)
        self._examples = _Rounds(examples, order)
        self._times, self._expected = _integrated_rate(profile, plan)

    def between(self, start: float, end: float) -> Schedule:
        due = self._due(start, end)
        codes = np.array(self._plan.protocols, np.int8)
        return Schedule(
            due=due,
            arm=np.full(due.size, self._plan.arm, np.int8),
            protocol=codes[self._protocols.take(due.size)],
            example=self._examples.take(due.size),
        )

    def _due(self, start: float, end: float) -> FloatArray:
        low, high = np.interp((start, end), self._times, self._expected)
        if self._poisson:
            # A Poisson process: a Poisson number of arrivals, independent and uniform in the
            # integrated rate.
            count = self._arrivals.poisson(high - low)
            marks = np.sort(self._arrivals.uniform(low, high, count))
        else:
            # Rounded, or 3.0000000001 expected requests would skip the fourth.
            marks = np.arange(math.ceil(round(low, 6)), math.ceil(round(high, 6)), dtype=np.float64)
        return np.interp(marks, self._expected, self._times)


class _Rounds:
    """Numbers below `size` in shuffled rounds."""

    def __init__(self, size: int, generator: np.random.Generator) -> None:
        self._size, self._generator = size, generator
        self._left = np.empty(0, np.int64)

    def take(self, count: int) -> npt.NDArray[np.int64]:
        missing = count - self._left.size
        if missing > 0:
            rounds = -(-missing // self._size)
            table = np.tile(np.arange(self._size, dtype=np.int64), (rounds, 1))
            fresh = self._generator.permuted(table, axis=1).ravel()
            self._left = np.concatenate((self._left, fresh))
        taken, self._left = self._left[:count], self._left[count:]
        return taken


def _merged(parts: Sequence[Schedule]) -> Schedule:
    due = np.concatenate([part.due for part in parts])
    order = np.argsort(due, kind="stable")
    return Schedule(
        due=due[order],
        arm=np.concatenate([part.arm for part in parts])[order],
        protocol=np.concatenate([part.protocol for part in parts])[order],
        example=np.concatenate([part.example for part in parts])[order],
    )


def _integrated_rate(profile: Profile, plan: ArmPlan) -> tuple[FloatArray, FloatArray]:
    """Moments, and the requests expected from the start up to each of them."""
    warm_up = profile.warm_up_seconds
    times, expected = [0.0], [0.0]
    for piece in profile.rate_pieces():
        # Equal rates are one piece, so the warm-up may end inside one.
        inside = piece.start_seconds < warm_up < piece.end_seconds
        for end in [warm_up, piece.end_seconds] if inside else [piece.end_seconds]:
            rate = piece.rate_per_second * plan.factor_at(times[-1], warm_up)
            expected.append(expected[-1] + (end - times[-1]) * rate)
            times.append(end)
    return np.array(times), np.array(expected)
