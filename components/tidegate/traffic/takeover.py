"""Moving a service's traffic at once, past the engine: `tidegate rollback --now`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tidegate.spec.traffic import FULL_WEIGHT
from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.switch_documents import SwitchOutcome


class TakeoverError(Exception):
    """The traffic was not moved; the message says why and what to do."""


class TakeoverUnprovenError(Exception):
    """The move is in force by all that was said, but it was not seen in answers in time."""


@dataclass(frozen=True)
class Takeover:
    """A move that the gateway has confirmed. `seconds`: from asking for it to its confirmation."""

    service: str
    revision: str
    before: Mapping[str, int]
    after: Mapping[str, int]
    seconds: float


def full_weight_to(routes: ServiceRoutes, revision: str) -> ServiceRoutes:
    """The same routes with everything at one revision and the others still referenced.

    Sessions move as well: everybody is to leave the others.
    """
    weights = {**dict.fromkeys(routes.weights, 0), revision: FULL_WEIGHT}
    return replace(routes, weights=weights, finishing=())


def check_evidence(
    service: str, revision: str, has_passed: bool, turned_back: SwitchOutcome | None
) -> None:
    """Raise TakeoverError unless the revision has passed its gate, and users have not shown it to
    be worse since (`turned_back`)."""
    if not has_passed:
        raise TakeoverError(
            f"{revision} takes no traffic: its gate has not passed here. "
            f"Instead: tidegate promote {service} … --up runs its gate first"
        )
    if turned_back is not None:
        raise TakeoverError(
            f"{revision} takes no traffic: it was turned back at {turned_back.at}, because "
            f"{turned_back.reason}"
        )


def takeover_note(by: str, revision: str) -> str:
    """The journal's sentence about a move."""
    return f"{by} moved all traffic to {revision} at once with `tidegate rollback --now`"


def always_changed(service: str, attempts: int) -> TakeoverError:
    """Something else moves the traffic at the same time."""
    return TakeoverError(
        f"the routes of {service} changed {attempts} times in a row while they were to be "
        "replaced; find out with `tidegate history` what moves them"
    )
