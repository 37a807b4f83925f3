"""In which order the arms are probed, and at which rates."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import sqrt

import numpy as np

from tidegate.gate.saturation_plan import LEAST_REQUESTS, Probe, Round, SaturationPlan, SideName

SIDES: tuple[SideName, SideName] = ("candidate", "baseline")
_SEARCH_STEP = 2.0
_BELOW_SEARCH = 1.3
"""A round begins at the last rate that both arms took in the search, divided by this, so that most
rounds only climb."""

ProbeArm = Callable[[int, SideName, float], Probe]
"""Round, arm and rate."""


class StoppedError(Exception):
    """Why there will be no more rounds, and what to do about it. Not `believable`: what was
    measured so far, if anything, shows nothing about the servers."""

    def __init__(self, why: str, mend: str, *, believable: bool = True) -> None:
        super().__init__(why)
        self.why, self.mend, self.believable = why, mend, believable


@dataclass
class Measurement:
    """`stopped` when there are fewer rounds than asked for."""

    rounds: list[Round] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)
    stopped: StoppedError | None = None


def measure(
    plan: SaturationPlan, probe: ProbeArm, clock: Callable[[], float] = time.monotonic
) -> Measurement:
    """A coarse search by doubling, then the plan's rounds of climbing by its step.

    The grids of the rounds are shifted against each other by equal parts of a step, from a seeded
    start: rounding to the grid then errs upward as often as downward. A StoppedError, also one
    that `probe` raises, ends the measurement.
    """
    found = Measurement()
    search = _Search(plan, probe, found.probes, clock)
    try:
        climbs = search.climb(0, plan.start_rate, _SEARCH_STEP)
        lowest = min(climb.taken for climb in climbs.values()) / _BELOW_SEARCH
        shift = float(np.random.default_rng(plan.seed).uniform())
        for number in range(plan.rounds):
            first = lowest * plan.step ** ((shift + number / plan.rounds) % 1.0)
            climbs = search.climb(number + 1, first, plan.step)
            found.rounds.append(
                Round(
                    candidate_per_second=climbs["candidate"].saturation,
                    baseline_per_second=climbs["baseline"].saturation,
                )
            )
    except StoppedError as stop:
        found.stopped = stop
    return found


class _Climb:
    """One arm in one round: upward until it saturates, or downward from a rate that is too high."""

    def __init__(self, first: float, step: float) -> None:
        self.next, self._step = first, step
        self.taken, self._refused = 0.0, 0.0

    @property
    def ended(self) -> bool:
        return bool(self.taken and self._refused)

    @property
    def saturation(self) -> float:
        return sqrt(self.taken * self._refused)

    def add(self, rate: float, *, saturated: bool) -> None:
        if saturated:
            self._refused, self.next = rate, rate / self._step
        else:
            self.taken, self.next = rate, rate * self._step


class _Search:
    def __init__(
        self,
        plan: SaturationPlan,
        probe: ProbeArm,
        probes: list[Probe],
        clock: Callable[[], float],
    ) -> None:
        self._plan, self._probe, self._probes, self._clock = plan, probe, probes, clock
        self._ends = clock() + plan.max_seconds
        self._requests = 0

    def climb(self, number: int, first: float, step: float) -> dict[SideName, _Climb]:
        climbs = {side: _Climb(first, step) for side in SIDES}
        turn = number
        while not all(climb.ended for climb in climbs.values()):
            # Who comes first alternates: the second may find a warmer machine.
            for side in SIDES if turn % 2 else SIDES[::-1]:
                climb = climbs[side]
                if climb.ended:
                    continue
                rate = climb.next
                # One stall of the machine is no saturation: it must show twice in a row.
                saturated = self._ask(number, side, rate) and self._ask(number, side, rate)
                climb.add(rate, saturated=saturated)
            turn += 1
        return climbs

    def _ask(self, number: int, side: SideName, rate: float) -> bool:
        self._check(side, rate)
        probe = self._probe(number, side, rate)
        self._probes.append(probe)
        self._requests += probe.requests
        return probe.saturated

    def _check(self, side: SideName, rate: float) -> None:
        plan = self._plan
        if rate > plan.max_rate:
            raise StoppedError(
                f"the {side} does not saturate below {plan.max_rate:g}/s", "a higher --max-rate"
            )
        if rate * plan.probe_seconds < LEAST_REQUESTS:
            raise StoppedError(
                f"the {side} saturates at so low a rate that probes of {plan.probe_seconds:g} s "
                f"have less than {LEAST_REQUESTS} requests",
                "longer probes (--probe-seconds), a higher --p95-limit, or a server that answers",
            )
        if self._requests + rate * plan.probe_seconds > plan.max_requests:
            raise StoppedError(
                f"{plan.max_requests} requests are used up", "a higher --max-requests"
            )
        if self._clock() + plan.probe_seconds > self._ends:
            raise StoppedError(f"{plan.max_seconds:g} s are used up", "a higher --max-seconds")
