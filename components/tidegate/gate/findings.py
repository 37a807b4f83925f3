"""What judging found, before it is put into words and numbers."""

from dataclasses import dataclass

from tidegate.gate.conditions import Conditions, Confidences
from tidegate.gate.context import Context
from tidegate.gate.profile import Profile
from tidegate.gate.tally import Tally
from tidegate.gate.validity import Check
from tidegate.gate.verdict import LookVerdict, Outcome


@dataclass(frozen=True)
class Findings:
    """Everything that was decided."""

    tally: Tally
    profile: Profile
    context: Context
    levels: Confidences
    conditions: Conditions | None
    checks: tuple[Check, ...]
    looks: tuple[LookVerdict, ...]
    golden: Outcome
    complete: bool
    outcome: Outcome

    @property
    def problems(self) -> list[Check]:
        return [check for check in self.checks if check.state == "violated"]
