"""What is asked of a switch, and what earlier switches of the service say about it."""

from collections.abc import Iterable
from dataclasses import dataclass

from tidegate.spec.traffic import SwitchStrategy
from tidegate.traffic.plan import Stage
from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.switch_documents import Ending, SwitchOutcome, SwitchRequest


@dataclass(frozen=True)
class SwitchPlan:
    """What is asked of a conductor; `routes_before` are in force and come back when it fails.

    With `routes_before` None the service has no routes yet, and none come back. `from_revision` is
    the same as `to_revision` when no revision loses traffic.
    """

    routes_before: ServiceRoutes | None
    stages: tuple[Stage, ...]
    strategy: SwitchStrategy
    from_revision: str
    to_revision: str
    drain_seconds: float
    retry_reason: str | None


@dataclass(frozen=True)
class PastSwitch:
    """One run; `outcome` is None while it has not ended."""

    request: SwitchRequest
    outcome: SwitchOutcome | None


def standing_turn_back(
    newest_first: Iterable[PastSwitch], revision: str, retry: str | None
) -> SwitchOutcome | None:
    """The revision's last run, when it was shown to be worse and no new reason is given."""
    for past in newest_first:
        if past.request.to_revision != revision or past.outcome is None:
            continue
        stands = past.outcome.ending is Ending.TURNED_BACK and past.outcome.was_shown
        answered = retry is not None and retry != past.request.retry_reason
        return past.outcome if stands and not answered else None
    return None
