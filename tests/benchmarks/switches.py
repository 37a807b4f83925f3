"""What switches do to users: requests lost, time on the old side, latency meanwhile."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.benchmarks.figure import Measurement, spread
from tests.benchmarks.switch_run import SEED, WINDOW_SECONDS, Run, switch_run
from tidegate.gate.samples import ProtocolCode, Samples

LEAST_PER_SECOND = 500.0
MOST_SECONDS_ON_THE_OLD_SIDE = 1.0
QUANTILE = 0.99
MOST_TIMES_SLOWER = 1.2
RESAMPLES = 1000
CONFIDENCE = 0.95


def measure_switches() -> Measurement:
    """Requests that failed, were repeated, or were answered by a revision that had drained."""
    return lost_requests(switch_run(), LEAST_PER_SECOND, MOST_SECONDS_ON_THE_OLD_SIDE)


def lost_requests(
    run: Run,
    least_per_second: float,
    most_seconds_on_the_old_side: float | None = None,
    detail: Mapping[str, Any] | None = None,
) -> Measurement:
    """What `measure_switches` says, of any run. `detail` is added to its own."""
    samples = run.samples
    failed = int(np.count_nonzero(~samples.ok)) + run.gateway_errors
    late = sum(_answers_after_drain(run))
    seconds = seconds_on_the_old_side(run, [each.called for each in run.switches])
    left = sum(each.left for each in run.switches)
    rate = len(samples) / (samples.intended[-1] - samples.intended[0])
    bad = failed + run.retries + late + left
    is_left_soon = (
        most_seconds_on_the_old_side is None or max(seconds) < most_seconds_on_the_old_side
    )
    return Measurement(
        value=bad,
        unit="requests failed, repeated, cut, or answered by a drained revision",
        goal="0",
        met=bool(bad == 0 and rate >= least_per_second and is_left_soon),
        reference=f"{len(run.switches)} switches at {least_per_second:g} requests/s at least, "
        "HTTP binary, HTTP JSON and gRPC",
        runs=[bad],
        detail={
            "requests": len(samples),
            "requestsByGateway": run.gateway_requests,
            "requestsByProtocol": _by_protocol(samples),
            "ratePerSecond": round(float(rate), 1),
            "failed": failed,
            "retried": run.retries,
            "answeredAfterDrain": late,
            "cut": left,
            "firstErrors": run.first_errors,
            "millisecondsToLastStartOnOldSide": {
                "p50": round(float(np.median(seconds)) * 1000, 2),
                "max": round(max(seconds) * 1000, 2),
            },
            "millisecondsToConfirm": milliseconds(
                [each.confirmed - each.called for each in run.switches]
            ),
            "millisecondsToDrained": milliseconds(
                [each.drained - each.called for each in run.switches]
            ),
            "generatorLagP99Milliseconds": round(float(np.quantile(samples.lag, 0.99)) * 1000, 2),
            **(detail or {}),
        },
    )


def measure_switch_latency() -> Measurement:
    """p99 in windows with a switch over p99 in the windows between them."""
    return latency_ratio(switch_run())


def latency_ratio(run: Run) -> Measurement:
    """What `measure_switch_latency` says, of any run."""
    with_switch = [_latencies(run.samples, start) for start in run.switch_windows]
    steady = [_latencies(run.samples, start) for start in run.steady_windows]
    ratio = _p99(with_switch) / _p99(steady)
    generator = np.random.default_rng(SEED)
    resampled = []
    for _ in range(RESAMPLES):
        # Neighbours stay together: the machine is alike for both.
        chosen = generator.integers(len(steady), size=len(steady))
        resampled.append(
            _p99([with_switch[each] for each in chosen]) / _p99([steady[each] for each in chosen])
        )
    tail = (1 - CONFIDENCE) / 2
    lower, upper = np.quantile(resampled, [tail, 1 - tail])
    return Measurement(
        value=ratio,
        unit="times the steady p99",
        goal=f"upper bound <= {MOST_TIMES_SLOWER:g}",
        met=bool(upper <= MOST_TIMES_SLOWER),
        reference=f"{len(steady)} windows of {WINDOW_SECONDS:g} s without a switch, "
        "alternating in the same run",
        runs=[ratio],
        detail={
            "confidence": CONFIDENCE,
            "lower": round(float(lower), 3),
            "upper": round(float(upper), 3),
            "milliseconds": {
                name: {
                    f"p{share * 100:g}": round(_quantile(windows, share) * 1000, 2)
                    for share in (0.5, 0.95, QUANTILE)
                }
                for name, windows in (("withSwitch", with_switch), ("steady", steady))
            },
            "requests": {
                "withSwitch": sum(each.size for each in with_switch),
                "steady": sum(each.size for each in steady),
            },
        },
    )


def _ends(run: Run) -> list[float]:
    """When the next switch begins, for each: until then its old side has no traffic."""
    last = float(run.samples.intended[-1])
    return [after.called for _, after in pairwise(run.switches)] + [last]


def seconds_on_the_old_side(run: Run, since: Sequence[float]) -> list[float]:
    """From a moment of each switch to the last request that was started on the old side."""
    samples = run.samples
    found = []
    for switch, end, moment in zip(run.switches, _ends(run), since, strict=True):
        old = samples.revision == samples.revisions.index(switch.old)
        begun = samples.sent[old & (samples.sent > moment) & (samples.done < end)]
        found.append(float(begun.max() - moment) if begun.size else 0.0)
    return found


def _answers_after_drain(run: Run) -> list[int]:
    samples = run.samples
    found = []
    for switch, end in zip(run.switches, _ends(run), strict=True):
        old = samples.revision == samples.revisions.index(switch.old)
        late = old & (samples.done > switch.drained) & (samples.done < end)
        found.append(int(np.count_nonzero(late)))
    return found


def _latencies(samples: Samples, start: float) -> npt.NDArray[np.float64]:
    inside = (samples.intended >= start) & (samples.intended < start + WINDOW_SECONDS)
    return np.asarray(samples.latency[inside])


def _p99(windows: list[npt.NDArray[np.float64]]) -> float:
    return _quantile(windows, QUANTILE)


def _quantile(windows: list[npt.NDArray[np.float64]], share: float) -> float:
    pooled = np.concatenate(windows)
    place = min(int(np.ceil(share * pooled.size)), pooled.size) - 1
    return float(np.partition(pooled, place)[place])


def _by_protocol(samples: Samples) -> dict[str, int]:
    codes, counts = np.unique(samples.protocol, return_counts=True)
    return {ProtocolCode(code).label: int(count) for code, count in zip(codes, counts, strict=True)}


def milliseconds(seconds: list[float]) -> dict[str, float]:
    return spread([each * 1000 for each in seconds])
