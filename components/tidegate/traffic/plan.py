"""The stages of a switch, computed from what is routed, what shall be, and the strategy.

Nothing here knows a router or a clock.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from tidegate.spec.errors import SpecError
from tidegate.spec.traffic import FULL_WEIGHT, CanaryStep, SwitchStrategy
from tidegate.traffic.routes import ServiceRoutes

SHORTEST_JUDGED_SECONDS = 12.0
"""How correlated requests are is measured on one-second blocks, and takes twelve of them."""
_LONGEST_STEP_SECONDS = 86400


@dataclass(frozen=True)
class Stage:
    """Routes that are in force for a while.

    A `shift` ends when its judgement advances or turns back, at `limit_seconds` at the latest. A
    `bake` lasts `minimum_seconds`, unless it turns back. `final` is the target and is not judged.
    """

    kind: Literal["shift", "bake", "final"]
    routes: ServiceRoutes
    minimum_seconds: float
    limit_seconds: float


def plan(
    routes_before: ServiceRoutes | None,
    target: ServiceRoutes,
    strategy: SwitchStrategy,
    served_before: bool,
) -> tuple[Stage, ...]:
    """The stages from `routes_before` to `target`.

    `served_before`: the target's revision has finished a switch here already, so going to it is a
    rollback, which nothing holds up. A target that shares the traffic with another revision, as
    after a canary that was killed, starts from the first step.
    """
    final = Stage("final", target, 0.0, 0.0)
    new = target.live_revision
    old = _largest_but(new, routes_before.weights if routes_before else {})
    if new is None or old is None or served_before:
        return (final,)
    referenced = (*target.weights, *(routes_before.weights if routes_before else ()))
    stages = [
        Stage(
            "shift",
            _shared(target, referenced, {new: step.weight, old: FULL_WEIGHT - step.weight}),
            step.seconds,
            step.seconds * strategy.patience,
        )
        for step in strategy.steps
    ]
    if strategy.bake_seconds:
        baked = _shared(target, referenced, {new: FULL_WEIGHT})
        if target.affinity is not None:
            # The old revision's sessions may end where they are; after the bake they move.
            baked = replace(baked, finishing=(old,))
        stages.append(Stage("bake", baked, strategy.bake_seconds, strategy.bake_seconds))
    return (*stages, final)


def check_plan(
    strategy: SwitchStrategy, drain_seconds: float, max_stream_seconds: float | None
) -> None:
    """Raise SpecError, with the stack file's keys, for values that cannot work together."""
    if max_stream_seconds is not None and drain_seconds < max_stream_seconds:
        raise SpecError(
            "drainSeconds",
            drain_seconds,
            f"streams may last {max_stream_seconds:g} s (maxStreamSeconds), so a revision that "
            "leaves the routes would end with streams still open",
            f"drainSeconds: {math.ceil(max_stream_seconds)} or more, or a shorter maxStreamSeconds",
        )
    for index, step in enumerate(strategy.steps):
        if step.seconds * strategy.patience < SHORTEST_JUDGED_SECONDS:
            needed = math.ceil(SHORTEST_JUDGED_SECONDS / strategy.patience)
            raise SpecError(
                f"switch.steps.{index}.seconds",
                step.seconds,
                f"the step ends after {step.seconds * strategy.patience:g} s (patience "
                f"{strategy.patience:g}), and nothing can be shown on less than "
                f"{SHORTEST_JUDGED_SECONDS:g} s",
                f"seconds: {needed} or more",
            )


def check_rate(strategy: SwitchStrategy, rate_per_second: float) -> None:
    """Raise SpecError for a step that cannot meet enough users' requests within its limit.

    `rate_per_second` is of all users of the service together; 0 means that nothing is known.
    """
    if rate_per_second <= 0:
        return
    for index, step in enumerate(strategy.steps):
        limit = step.seconds * strategy.patience
        smaller = min(step.weight, FULL_WEIGHT - step.weight)
        expected = rate_per_second * limit * smaller / FULL_WEIGHT
        if expected >= strategy.minimum_requests:
            continue
        raise SpecError(
            f"switch.steps.{index}.seconds",
            step.seconds,
            f"at the measured {rate_per_second:.3g} requests/s, {smaller}% of them for {limit:g} s "
            f"(patience {strategy.patience:g}) are {math.floor(expected)} requests, and the step "
            f"needs {strategy.minimum_requests} of either revision (minimumRequests)",
            _enough(step, strategy, rate_per_second),
        )


def _enough(step: CanaryStep, strategy: SwitchStrategy, rate: float) -> str:
    """What gives the step its requests: more time, or a weight nearer to one half."""
    smaller = min(step.weight, FULL_WEIGHT - step.weight)
    share = strategy.minimum_requests / (rate * strategy.patience)
    seconds = math.ceil(share * FULL_WEIGHT / smaller)
    weight = math.ceil(share * FULL_WEIGHT / step.seconds)
    ways = []
    if seconds <= _LONGEST_STEP_SECONDS:
        ways.append(f"seconds: {seconds}")
    if weight <= FULL_WEIGHT // 2:
        rising = weight if step.weight < FULL_WEIGHT / 2 else FULL_WEIGHT - weight
        ways.append(f"weight: {rising}")
    return " or ".join(ways) or "strategy: all-at-once with bakeSeconds"


def _largest_but(new: str | None, weights: Mapping[str, int]) -> str | None:
    """The revision with the largest share apart from `new`."""
    others = {each: weight for each, weight in weights.items() if weight > 0 and each != new}
    return max(others, key=lambda each: others[each]) if others else None


def _shared(
    target: ServiceRoutes, referenced: tuple[str, ...], weights: Mapping[str, int]
) -> ServiceRoutes:
    """The target's routes with other weights; whatever is referenced stays so."""
    return replace(target, weights={**dict.fromkeys(referenced, 0), **weights})
