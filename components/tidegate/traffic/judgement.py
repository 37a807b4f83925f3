"""Judges the stages of a switch by what users meet, with the gate's statistics."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from tidegate.gate.tally import ShareCounts
from tidegate.spec.traffic import MaxRegression
from tidegate.traffic import judgement_words as words
from tidegate.traffic.failures import GROSS_WINDOW_SECONDS, error_difference, fails_grossly
from tidegate.traffic.look_budget import LOOK_FACTOR, LookBudget
from tidegate.traffic.outcome import ConditionJudgement, Judgement, StageOutcome
from tidegate.traffic.plan import SHORTEST_JUDGED_SECONDS
from tidegate.traffic.regression import Levels, latency_ratios
from tidegate.traffic.router import UserCounters
from tidegate.traffic.user_sample import UserSample

AFTER_SECONDS = 60.0
"""Of the old revision's last minute and of each minute of a bake: machine and users of moments
further apart differ more."""
AFTER_ALLOWANCE = 1.25
"""A bake compares different moments, so a quantile has to be this much beyond its margin."""


MORE_LOAD = 1.25
"""With more than so many times the old revision's requests, longer latencies are the load's: an
equal revision with 75% of the traffic was shown slower in 60 of 60 simulated steps."""


class _StageJudge(ABC):
    """What both judges share: two samples, looks, and a decision that stays."""

    def __init__(self, regression: MaxRegression, budget: LookBudget, seed: int) -> None:
        self._regression = regression
        self._budget = budget
        self._seed = seed
        self._candidate, self._reference = UserSample(), UserSample()
        self._seconds = 0.0
        self._next_look = SHORTEST_JUDGED_SECONDS
        self._conditions: tuple[ConditionJudgement, ...] = ()
        self._decided: Judgement | None = None

    def judge(self) -> Judgement:
        """See Judge."""
        if self._decided is not None:
            return self._decided
        new, old = self._candidate.failures(GROSS_WINDOW_SECONDS), self._gross_reference()
        if fails_grossly(new, old, self._regression.error_rate, self._budget.gross):
            return self._decide(StageOutcome.TURN_BACK, words.gross(new, old), shown=True)
        return self._judge_looks()

    @abstractmethod
    def _gross_reference(self) -> ShareCounts:
        """What a gross failure is compared with."""

    @abstractmethod
    def _judge_looks(self) -> Judgement:
        """Look when a look is due."""

    def _carries_more(self) -> bool:
        new, old = self._candidate, self._reference
        return new.requests * old.seconds > MORE_LOAD * old.requests * new.seconds

    def _look(
        self, latency_margins: Mapping[str, float], advance: float, may_advance: bool
    ) -> None:
        margins = {} if self._carries_more() else latency_margins
        levels = Levels(advance, self._budget.turn_back)
        errors = error_difference(
            self._candidate.failures(),
            self._reference.failures(),
            self._regression.error_rate,
            levels,
        )
        new, old = self._candidate.latencies(), self._reference.latencies()
        ratios = latency_ratios(new, old, margins, levels, self._seed, may_advance)
        self._conditions = (errors, *ratios)

    def _shown_broken(self) -> Judgement | None:
        broken = [each for each in self._conditions if each.outcome is StageOutcome.TURN_BACK]
        if not broken:
            return None
        return self._decide(StageOutcome.TURN_BACK, words.broken(broken), shown=True)

    def _decide(self, outcome: StageOutcome, reason: str, shown: bool = False) -> Judgement:
        self._decided = self._judgement(outcome, reason, shown)
        return self._decided

    def _judgement(self, outcome: StageOutcome, reason: str, shown: bool = False) -> Judgement:
        return Judgement(
            outcome,
            reason,
            self._conditions,
            candidate_requests=self._candidate.requests,
            reference_requests=self._reference.requests,
            candidate_errors=self._candidate.errors,
            reference_errors=self._reference.errors,
            was_shown=shown,
        )


class BesideJudge(_StageJudge):
    """Judges a step, in which both revisions serve users at the same time.

    ADVANCE takes every condition shown good, `minimum_requests` of either revision and
    `minimum_seconds`; TURN_BACK one condition shown broken, or `limit_seconds` without ADVANCE.
    `stages` is how many judged stages the switch has. Latencies are judged while the new revision
    carries no more than the old one (MORE_LOAD).
    """

    def __init__(
        self,
        regression: MaxRegression,
        minimum_requests: int,
        minimum_seconds: float,
        limit_seconds: float,
        stages: int,
        seed: int,
    ) -> None:
        self._minimum_requests = minimum_requests
        self._minimum_seconds = max(minimum_seconds, SHORTEST_JUDGED_SECONDS)
        self._limit_seconds = limit_seconds
        self._was_ready = False
        budget = LookBudget(regression, self._minimum_seconds, limit_seconds, stages)
        super().__init__(regression, budget, seed)

    def add(self, seconds: float, candidate: UserCounters, reference: UserCounters) -> None:
        """See Judge."""
        if not (self._candidate.continues(candidate) and self._reference.continues(reference)):
            self._candidate.restart()
            self._reference.restart()
        self._candidate.add(seconds, candidate)
        self._reference.add(seconds, reference)
        self._seconds = seconds

    def _gross_reference(self) -> ShareCounts:
        return self._reference.failures(GROSS_WINDOW_SECONDS)

    def _judge_looks(self) -> Judgement:
        candidate, reference = self._candidate.requests, self._reference.requests
        enough = min(candidate, reference) >= self._minimum_requests
        ready = enough and self._seconds >= self._minimum_seconds
        ended = self._seconds >= self._limit_seconds
        if self._seconds >= self._next_look or ended or (ready and not self._was_ready):
            self._was_ready = ready
            self._next_look = self._seconds * LOOK_FACTOR
            self._look(
                self._regression.latency,
                self._budget.last_advance if ended else self._budget.early_advance,
                may_advance=ready,
            )
            if broken := self._shown_broken():
                return broken
            if ready and all(each.outcome is StageOutcome.ADVANCE for each in self._conditions):
                return self._decide(StageOutcome.ADVANCE, words.good(self._conditions))
        if ended and ready:
            reason = words.doubt(self._conditions, self._seconds)
            return self._decide(StageOutcome.TURN_BACK, reason)
        if ended:
            reason = words.too_few(candidate, reference, self._minimum_requests, self._seconds)
            return self._decide(StageOutcome.TURN_BACK, reason)
        reason = words.so_far(
            self._candidate, self._reference, self._minimum_requests, self._seconds
        )
        return self._judgement(StageOutcome.UNDECIDED, reason)


class AfterJudge(_StageJudge):
    """Judges a bake: the new revision serves everybody, the old one did so in `before`.

    `before` holds the old revision's counters as they were recorded about once a second while it
    took the whole traffic, with their seconds on any clock. Different moments are compared, so
    this only turns back on strong evidence, minute by minute; at its end it advances. Without
    requests in `before` there is nothing to compare with.
    """

    def __init__(
        self,
        regression: MaxRegression,
        before: Sequence[tuple[float, UserCounters]],
        bake_seconds: float,
        stages: int,
        seed: int,
    ) -> None:
        self._bake_seconds = bake_seconds
        self._margins = {
            name: (1.0 + margin) * AFTER_ALLOWANCE - 1.0
            for name, margin in regression.latency.items()
        }
        window = min(bake_seconds, AFTER_SECONDS)
        windows = math.ceil(bake_seconds / AFTER_SECONDS)
        super().__init__(regression, LookBudget(regression, window, window, stages * windows), seed)
        self._reference = _recorded(before)
        self._window_from = 0.0
        self._latest: UserCounters | None = None

    def add(self, seconds: float, candidate: UserCounters, reference: UserCounters) -> None:
        """See Judge. What the old revision still serves, of sessions, is left aside."""
        del reference
        if self._seconds - self._window_from >= AFTER_SECONDS and self._latest is not None:
            self._begin_window(self._latest)
        if not self._candidate.continues(candidate):
            self._candidate.restart()
        self._candidate.add(seconds - self._window_from, candidate)
        self._seconds, self._latest = seconds, candidate

    def _begin_window(self, origin: UserCounters) -> None:
        self._candidate = UserSample()
        self._candidate.add(0.0, origin)
        self._window_from = self._seconds
        self._next_look = SHORTEST_JUDGED_SECONDS

    def _gross_reference(self) -> ShareCounts:
        return self._reference.failures()

    def _judge_looks(self) -> Judgement:
        elapsed = self._seconds - self._window_from
        ended = self._seconds >= self._bake_seconds
        if elapsed >= self._next_look or elapsed >= AFTER_SECONDS or ended:
            self._next_look = elapsed * LOOK_FACTOR
            # Nothing is shown good here: the upper bounds are for whoever watches.
            self._look(self._margins, self._budget.last_advance, may_advance=False)
            if broken := self._shown_broken():
                return broken
        if ended:
            return self._decide(StageOutcome.ADVANCE, words.baked(self._seconds))
        reason = words.baking(self._candidate, self._reference)
        return self._judgement(StageOutcome.UNDECIDED, reason)


def _recorded(before: Sequence[tuple[float, UserCounters]]) -> UserSample:
    """The last AFTER_SECONDS of a recording."""
    sample = UserSample()
    last = before[-1][0] if before else 0.0
    recent = [each for each in before if each[0] >= last - AFTER_SECONDS - 0.5]
    for seconds, counters in recent:
        if not sample.continues(counters):
            sample.restart()
        sample.add(seconds - recent[0][0], counters)
    return sample
