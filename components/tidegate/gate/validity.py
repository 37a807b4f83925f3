"""Whether the numbers of a run may be believed at all."""

from tidegate.gate.check import Check
from tidegate.gate.context import (
    BaselineSubject,
    Context,
    Problem,
    ServerComparison,
    WorkerCounts,
)
from tidegate.gate.profile import Profile
from tidegate.gate.run_checks import input_checks, machine_checks
from tidegate.gate.sample_checks import lag_limit, sample_checks
from tidegate.gate.tally import Tally

__all__ = [
    "BaselineSubject",
    "Check",
    "Context",
    "Problem",
    "ServerComparison",
    "WorkerCounts",
    "checks_of",
    "lag_limit",
]


def checks_of(tally: Tally, profile: Profile, context: Context) -> list[Check]:
    """Every check, most telling first.

    A server that answers golden requests wrongly is sent no load, so nothing else is checked then.
    """
    if context.refusal is not None:
        return list(input_checks(context))
    return [
        *input_checks(context),
        *sample_checks(tally, profile, context),
        *machine_checks(context),
    ]
