"""What judging needs to know of the samples, in memory that does not grow with their number.

Counts per second of time decide SLOs and error rates, histograms per block of time decide
comparisons. A day at any rate fits into about a hundred megabytes.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegate.gate.arm_tally import ArmTally, ProblemCounts
from tidegate.gate.duplicates import DuplicateFinder
from tidegate.gate.histogram import (
    CountArray,
    Histogram,
    bin_of,
    grown,
)
from tidegate.gate.profile import Profile
from tidegate.gate.profile_rules import COMPARISON_BLOCK_SECONDS
from tidegate.gate.samples import (
    BASELINE_ARM,
    CANDIDATE_ARM,
    ProtocolCode,
    Samples,
    count_labels,
)
from tidegate.spec.errors import SpecError

MAX_COMPARISON_BLOCKS = 500
MAX_SPAN_SECONDS = 31 * 86400.0
_FEWEST_COMMON_BLOCKS = 0.9


@dataclass(frozen=True)
class ShareCounts:
    """Requests and misses per second of judged time."""

    requests: CountArray
    misses: CountArray


@dataclass(frozen=True)
class ArmCounts:
    """Rows of one arm; `judged` leaves the warm-up out."""

    planned: int
    sent: int
    done: int
    errored: int
    judged: int


@dataclass(frozen=True)
class ComparisonCounts:
    """Answered requests per block and bin of done - sent, and all requests per block."""

    answered: npt.NDArray[np.uint32]
    requests: CountArray


class Tally:
    """The sum over every row added so far; the order of rows makes no difference.

    `origin` is the intended start of the first request, where the warm-up begins.
    `span_seconds` is the length of the run when it is known better than from the profile.
    """

    def __init__(
        self, profile: Profile, origin: float = 0.0, span_seconds: float | None = None
    ) -> None:
        span = max(profile.total_seconds, span_seconds or 0.0)
        self.profile = profile
        self.judged_from = origin + profile.warm_up_seconds
        self.block_seconds = COMPARISON_BLOCK_SECONDS * max(
            1, math.ceil(span / COMPARISON_BLOCK_SECONDS / MAX_COMPARISON_BLOCKS)
        )
        self.problems = ProblemCounts()
        self.lag = Histogram()
        self.first_intended, self.last_intended = math.inf, -math.inf
        self.by_protocol: CountArray = np.zeros(max(ProtocolCode) + 1, np.int64)
        self.revisions: tuple[str, ...] = ()
        self._arms = {
            arm: ArmTally(profile, self.judged_from, self.block_seconds)
            for arm in (CANDIDATE_ARM, BASELINE_ARM)
        }
        self._duplicates = DuplicateFinder()

    def add(self, samples: Samples) -> None:
        """Count settled rows: answered, failed or never to be sent.

        Raises SpecError for times further apart than a month.
        """
        if not len(samples):
            return
        self.first_intended = min(self.first_intended, float(samples.intended.min()))
        self.last_intended = max(self.last_intended, float(samples.intended.max()))
        _check_span(self.first_intended, self.last_intended)
        self.revisions = samples.revisions
        self._duplicates.add(samples)
        started = ~np.isnan(samples.sent)
        lag = np.maximum(samples.sent[started] - samples.intended[started], 0.0)
        self.lag.add(lag, bin_of(lag))
        self.by_protocol += np.bincount(samples.protocol[started], minlength=self.by_protocol.size)
        self.problems.add(samples, started)
        if not samples.arm.any():
            self._arms[CANDIDATE_ARM].add(samples)
            return
        for arm, tally in self._arms.items():
            tally.add(samples.of_arm(arm))

    def __len__(self) -> int:
        return sum(tally.planned for tally in self._arms.values())

    @property
    def has_baseline(self) -> bool:
        return self._arms[BASELINE_ARM].planned > 0

    @property
    def interleaved(self) -> bool:
        """Whether both arms have requests in nine of ten blocks of judged time with requests."""
        blocks = [np.flatnonzero(tally.block_requests).tolist() for tally in self._arms.values()]
        both, either = set(blocks[0]) & set(blocks[1]), set(blocks[0]) | set(blocks[1])
        return len(both) >= _FEWEST_COMMON_BLOCKS * len(either)

    @property
    def judged_seconds(self) -> float:
        """From the end of the warm-up to the last intended start."""
        return max(0.0, self.last_intended - self.judged_from)

    @property
    def duplicates(self) -> int:
        """Rows that are exact copies of another row, among those that were compared."""
        return self._duplicates.count()

    def counts(self, arm: int) -> ArmCounts:
        tally = self._arms[arm]
        return ArmCounts(
            tally.planned, tally.sent, tally.done, tally.errored, tally.latency.total + tally.failed
        )

    def errors_by_kind(self, arm: int) -> dict[str, int]:
        """Failed requests that were sent, warm-up included, by label."""
        return count_labels(self._arms[arm].kinds)

    def revision_codes(self, arm: int) -> dict[int, int]:
        """How many answers each revision gave, by code."""
        codes = self._arms[arm].revisions
        return {code - 1: int(codes[code]) for code in np.flatnonzero(codes).tolist()}

    def latency_quantile(self, arm: int, share: float) -> float:
        """Of done - intended in judged time, in seconds; see Histogram.quantile."""
        tally = self._arms[arm]
        return tally.latency.quantile(share, tally.failed)

    def over(self, quantile: str, seconds: float = math.inf) -> ShareCounts:
        """The candidate's requests over this quantile's SLO in the first judged seconds."""
        return self._shares(self._arms[CANDIDATE_ARM].over[quantile], seconds)

    def errors(self, seconds: float = math.inf) -> ShareCounts:
        """The candidate's failed requests in the first judged seconds."""
        return self._shares(self._arms[CANDIDATE_ARM].errors, seconds)

    def comparison(self, arm: int, seconds: float = math.inf) -> ComparisonCounts:
        """One arm in the whole blocks of the first judged seconds."""
        tally = self._arms[arm]
        available = (self.judged_seconds if seconds == math.inf else seconds) + 1e-9
        blocks = int(available // self.block_seconds)
        if seconds == math.inf and self.judged_seconds % self.block_seconds:
            # The last intended start lies just before the end of the last block.
            blocks += self.judged_seconds % self.block_seconds > 0.5 * self.block_seconds
        answered = tally.service.rows(slice(0, blocks))
        requests = grown(tally.block_requests, blocks)[: answered.shape[0]]
        return ComparisonCounts(answered, requests)

    def _shares(self, misses: CountArray, seconds: float) -> ShareCounts:
        requests = self._arms[CANDIDATE_ARM].requests
        end = requests.size if seconds == math.inf else int(seconds + 1e-9)
        return ShareCounts(requests[:end], misses[:end])


def _check_span(first: float, last: float) -> None:
    if last - first > MAX_SPAN_SECONDS:
        raise SpecError(
            "samples.intended",
            last,
            f"it is {last - first:.3g} s after the first request, more than a month",
            "seconds on one clock",
        )
