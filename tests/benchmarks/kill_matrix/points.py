"""A point of a matrix, and what became of it."""

from dataclasses import dataclass, field
from enum import StrEnum

from tests.benchmarks.kill_matrix.moments import Moment
from tests.benchmarks.kill_matrix.victims import Victim


class Way(StrEnum):
    """What the person declares after the accident."""

    AGAIN = "again"
    REVERT = "revert"


@dataclass(frozen=True)
class Point:
    victim: Victim
    moment: Moment
    way: Way

    @property
    def name(self) -> str:
        promotion = self.moment.promotion
        return f"{self.victim.name} at '{self.moment.name}' ({promotion}), then {self.way}"

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells it from every other point of its matrix; as `PointResult.key`."""
        moment = self.moment
        return self.victim.name, moment.name, str(moment.promotion), str(self.way)


@dataclass
class PointResult:
    """What became of a point; it has converged when `problems` is empty."""

    victim: str
    moment: str
    promotion: str
    way: str
    problems: list[str] = field(default_factory=list)
    cancels: int = 0
    undecided: int = 0
    retries: int = 0
    requests: int = 0
    failed_requests: int = 0
    seconds_with_failures: float = 0.0
    """From the first failed request's start to the last one's end."""
    first_failures: list[str] = field(default_factory=list)
    interrupted_up: str = ""
    recovery_seconds: float = 0.0

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.victim, self.moment, self.promotion, self.way

    @classmethod
    def of(cls, point: Point) -> "PointResult":
        return cls(*point.key)
