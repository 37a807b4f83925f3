"""How sure each of many looks at a switch has to be.

Whatever is looked at, and however often: a revision exactly as bad as the margins allow is turned
back by evidence in at most TURN_BACK_ALPHA of all switches, and advances from a step by luck in at
most ADVANCE_ALPHA of all steps. Each look gets its part of that (Bonferroni).
"""

import math

from tidegate.spec.traffic import MaxRegression
from tidegate.traffic.plan import SHORTEST_JUDGED_SECONDS

TURN_BACK_ALPHA = 0.05
ADVANCE_ALPHA = 0.1
LOOK_FACTOR = 1.25
"""Each look comes when the sample has lasted so much longer."""


class LookBudget:
    """Confidences of the one-sided bounds in one of `stages` judged stages.

    `turn_back` is of one condition at one look, `gross` of one look a second for gross failures.
    Every condition has to be shown good at the same look, so `early_advance` and `last_advance`
    are not divided by conditions; the last look, where a doubt turns back, has one half.
    """

    def __init__(
        self,
        regression: MaxRegression,
        minimum_seconds: float,
        limit_seconds: float,
        stages: int,
    ) -> None:
        conditions = 1 + len(regression.latency)
        # Besides the geometric ones: the first on enough requests, and the last.
        looks = 3 + _looks_between(SHORTEST_JUDGED_SECONDS, limit_seconds)
        self.turn_back = 1.0 - TURN_BACK_ALPHA / 2.0 / (stages * looks * conditions)
        self.gross = 1.0 - TURN_BACK_ALPHA / 2.0 / (stages * max(limit_seconds, 1.0))
        early = 1 + _looks_between(minimum_seconds, limit_seconds)
        self.early_advance = 1.0 - ADVANCE_ALPHA / 2.0 / early
        self.last_advance = 1.0 - ADVANCE_ALPHA / 2.0


def _looks_between(first: float, last: float) -> int:
    """How many looks can follow one at `first` until `last`."""
    return math.ceil(math.log(max(last / first, 1.0)) / math.log(LOOK_FACTOR))
