"""How a switch ended, as it is told to the user."""

from tidegate.provider.errors import ProviderError
from tidegate.provider.handler import Operation
from tidegate.provider.shared.traffic_refusals import not_advanced
from tidegate.traffic.switch_documents import Ending, SwitchOutcome


def report_ending(operation: Operation, outcome: SwitchOutcome) -> None:
    """Say that the traffic has moved. Raises ProviderError with the numbers when it has not."""
    if outcome.ending is not Ending.ADVANCED:
        raise ProviderError(not_advanced(outcome))
    operation.info(outcome.reason)
    drained = outcome.drained
    if drained is not None and drained.open_requests:
        left = ", ".join(f"{name} {n}" for name, n in drained.open_requests.items())
        operation.warn(
            f"{drained.revision} still had requests open after {drained.seconds:g} s: {left}"
        )


def where_traffic_is(outcome: SwitchOutcome) -> str:
    """Where the traffic is after a run."""
    match outcome.ending:
        case Ending.ADVANCED:
            return f"{outcome.to_revision} has all of the traffic"
        case Ending.SUPERSEDED:
            return "the traffic is where somebody else has moved it"
        case _ if outcome.from_revision == outcome.to_revision:
            return "the routes are what they were before"
        case _:
            return f"{outcome.from_revision} has all of the traffic again"
