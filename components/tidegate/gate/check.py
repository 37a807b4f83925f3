"""One reason to believe a run's numbers, or not to."""

from dataclasses import dataclass
from typing import Literal

from tidegate.gate.context import Problem
from tidegate.gate.verdict import ValidityCheck

State = Literal["ok", "violated", "unknown"]


@dataclass(frozen=True)
class Check:
    """One reason to believe the numbers, or not to; `mend` stands where it is violated."""

    name: str
    state: State
    detail: str
    mend: str = ""
    only_forbids_pass: bool = False

    @property
    def problem(self) -> Problem:
        return Problem(self.detail, self.mend, self.only_forbids_pass)

    @classmethod
    def unknown(cls, name: str, what: str) -> "Check":
        """Nobody recorded `what`."""
        return cls(name, "unknown", what)

    def record(self) -> ValidityCheck:
        return ValidityCheck(name=self.name, state=self.state, detail=self.detail)
