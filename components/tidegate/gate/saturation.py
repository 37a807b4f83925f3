"""Whether the candidate saturates at a lower rate than the baseline: from probes to a verdict.

The rate at which one server saturates differs too much between tries for a limit on it: three
bisections of one server gave 49, 74 and 59 requests/s. So both arms are probed in turn at the same
rates, in several rounds, and only the ratio of their saturation rates is judged.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from tidegate.gate.samples import Samples
from tidegate.gate.saturation_plan import Probe, Round, SaturationPlan, SideName
from tidegate.gate.saturation_search import Measurement
from tidegate.gate.verdict import Outcome

SATURATED_BELOW_SHARE = 0.95
"""Of the offered rate; what is answered less than that piles up."""
SETTLING_SHARE = 0.25
"""Of a probe's time, left out at its start: connections are opened and queues fill."""
_MOST_ROUNDS_NAMED = 1000


@dataclass(frozen=True)
class SaturationRatio:
    """Candidate over baseline, with a lower and an upper bound, each at the plan's confidence."""

    ratio: float
    lower: float
    upper: float


def probe_of(
    samples: Samples,
    planned: int,
    plan: SaturationPlan,
    round_number: int,
    arm: SideName,
    rate: float,
) -> Probe:
    """What one probe showed once it had settled; times in `samples` count from its start.

    Answers that arrive in that time are counted against requests due in it, so a constant latency
    does not look like a lower rate. A request that failed, or whose row is missing from `samples`,
    is slower than any other.
    """
    start, end = SETTLING_SHARE * plan.probe_seconds, plan.probe_seconds
    due = (samples.intended >= start) & (samples.intended < end)
    answered = samples.ok & (samples.done >= start) & (samples.done < end)
    lost = planned - len(samples)
    offered, achieved = int(np.count_nonzero(due)) + lost, int(np.count_nonzero(answered))
    latency = np.sort(np.concatenate((samples.latency[due], np.full(lost, np.inf))))
    p95 = float(latency[math.ceil(0.95 * offered) - 1]) * 1000.0 if offered else math.inf
    return Probe(
        round=round_number,
        arm=arm,
        rate_per_second=rate,
        achieved_per_second=achieved / (end - start),
        p95_milliseconds=p95 if math.isfinite(p95) else None,
        requests=planned,
        errors=lost + int(np.count_nonzero(~samples.ok)),
        saturated=achieved < SATURATED_BELOW_SHARE * offered or p95 > plan.p95_milliseconds,
    )


def saturation_ratio(rounds: Sequence[Round], step: float, confidence: float) -> SaturationRatio:
    """Student's t over the log ratios of two rounds or more.

    Rounds are few, and a bootstrap of few values is too narrow. A round knows each rate only to a
    step, but the grids of rates are shifted against each other, so rounding does not shift the
    mean. Its part of the standard deviation is at most log(step)/2 (two neighbouring values,
    equally often); the standard deviation is never taken smaller, because a few rounds can agree
    by chance.
    """
    logs = np.log([each.ratio for each in rounds])
    mean, error = float(np.mean(logs)), _standard_error(rounds, step)
    reach = float(stdtrit(len(rounds) - 1, confidence)) * error
    return SaturationRatio(math.exp(mean), math.exp(mean - reach), math.exp(mean + reach))


def saturation_outcome(found: SaturationRatio, margin: float) -> Outcome:
    """PASS when the ratio is shown to lie above 1 - margin, FAIL when below."""
    if found.lower > 1.0 - margin:
        return Outcome.PASS
    return Outcome.FAIL if found.upper < 1.0 - margin else Outcome.INCONCLUSIVE


def rounds_to_decide(
    rounds: Sequence[Round], step: float, margin: float, confidence: float
) -> int | None:
    """How many rounds in all would decide if they stay as measured; None when no sensible number
    would, because the ratio lies at its limit."""
    found = saturation_ratio(rounds, step, confidence)
    distance = abs(math.log(found.ratio) - math.log1p(-margin))
    deviation = _standard_error(rounds, step) * math.sqrt(len(rounds))
    for count in range(len(rounds) + 1, _MOST_ROUNDS_NAMED):
        if float(stdtrit(count - 1, confidence)) * deviation / math.sqrt(count) < distance:
            return count
    return None


@dataclass(frozen=True)
class SaturationDecision:
    """`mend`: what would decide, or what to put right; None when it is decided. `ratio`: None of
    an incomplete measurement."""

    outcome: Outcome
    summary: str
    mend: str | None
    ratio: SaturationRatio | None


def decide(found: Measurement, plan: SaturationPlan) -> SaturationDecision:
    """Only a complete measurement decides: the rounds before a stop may be those that went one
    way."""
    stop = found.stopped
    if stop is not None:
        outcome = Outcome.INCONCLUSIVE if stop.believable else Outcome.INVALID
        summary = f"{stop.why} (after {len(found.rounds)} of {plan.rounds} rounds)"
        return SaturationDecision(outcome, summary, stop.mend, None)
    ratio = saturation_ratio(found.rounds, plan.step, plan.confidence)
    outcome = saturation_outcome(ratio, plan.margin)
    summary = (
        f"the candidate saturates at {ratio.ratio:.3g} of the baseline's rate "
        f"({ratio.lower:.3g} to {ratio.upper:.3g}), and the limit is {1.0 - plan.margin:.3g}"
    )
    mend = None
    if outcome is Outcome.INCONCLUSIVE:
        needed = rounds_to_decide(found.rounds, plan.step, plan.margin, plan.confidence)
        mend = (
            "nothing: the ratio lies at its limit, where no number of rounds decides"
            if needed is None
            else f"--rounds {needed}, which would decide if the rounds stay as they were"
        )
    return SaturationDecision(outcome, summary, mend, ratio)


def _standard_error(rounds: Sequence[Round], step: float) -> float:
    logs = np.log([each.ratio for each in rounds])
    deviation = max(float(np.std(logs, ddof=1)), math.log(step) / 2.0)
    return deviation / math.sqrt(len(rounds))
