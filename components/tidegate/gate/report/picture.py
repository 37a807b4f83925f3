"""What the report draws: counts per time and latency, small however long the run was."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tidegate.gate.samples import BoolArray, ErrorKind, FloatArray, Samples

CountArray = npt.NDArray[np.int64]

_FINEST_SECONDS = 0.1
_MAXIMUM_BINS = 480
_DRAWN_BINS = 240
_REQUESTS_PER_BIN = 25
_BINS_PER_DECADE = 200
_SHORTEST_SECONDS = 1e-5
_DECADES = 8

LATENCY_EDGES: FloatArray = _SHORTEST_SECONDS * np.logspace(
    0, _DECADES, _DECADES * _BINS_PER_DECADE + 1
)
"""Seconds: 10 us to 1000 s, neighbours 1.2% apart."""
_LEVELS = LATENCY_EDGES.size - 1


@dataclass
class ArmPicture:
    """One arm's requests by time bin, warm-up included.

    `planned[t]` counts what was due, `latency[t, l]` what was answered rightly by its latency from
    the intended start, `lag[t, l]` what was sent by its lag, `errors[t, k]` what was sent and
    failed by ErrorKind. `judged_latency[l]` and `judged_planned` leave the warm-up out.
    """

    planned: CountArray = field(default_factory=lambda: np.zeros(_MAXIMUM_BINS, np.int64))
    latency: CountArray = field(default_factory=lambda: np.zeros((_MAXIMUM_BINS, _LEVELS), int))
    lag: CountArray = field(default_factory=lambda: np.zeros((_MAXIMUM_BINS, _LEVELS), int))
    errors: CountArray = field(
        default_factory=lambda: np.zeros((_MAXIMUM_BINS, len(ErrorKind)), int)
    )
    judged_latency: CountArray = field(default_factory=lambda: np.zeros(_LEVELS, int))
    judged_planned: int = 0

    @property
    def requests(self) -> int:
        return int(self.planned.sum())

    def latency_over_time(self, share: float) -> FloatArray:
        """Seconds per time bin: infinite where it falls on a failed request, NaN without any."""
        return _quantiles(self.latency, self.planned, share)

    def lag_over_time(self, share: float) -> FloatArray:
        """Seconds per time bin, NaN where nothing was sent."""
        return _quantiles(self.lag, self.lag.sum(axis=1), share)

    def distribution(self) -> FloatArray:
        """Share of the judged requests answered rightly within each of LATENCY_EDGES[1:]."""
        shares: FloatArray = np.cumsum(self.judged_latency) / max(self.judged_planned, 1)
        return shares

    def coarser(self, factor: int, bins: int) -> "ArmPicture":
        """The first `bins` bins after each `factor` neighbours became one, padded with zeros."""
        return ArmPicture(
            _merged(self.planned, factor, bins),
            _merged(self.latency, factor, bins),
            _merged(self.lag, factor, bins),
            _merged(self.errors, factor, bins),
            self.judged_latency,
            self.judged_planned,
        )


@dataclass(frozen=True)
class Picture:
    """Bins of `bin_seconds` from the first intended start on, for each arm."""

    bin_seconds: float
    warm_up_seconds: float
    arms: dict[int, ArmPicture]

    @property
    def edges(self) -> FloatArray:
        bins = max(arm.planned.size for arm in self.arms.values())
        edges: FloatArray = np.arange(bins + 1) * self.bin_seconds
        return edges


def picture_of(chunks: Iterable[Samples], warm_up_seconds: float) -> Picture | None:
    """Count samples chunk by chunk in one pass. None when there are no requests."""
    first: float | None = None
    width = _FINEST_SECONDS
    arms: dict[int, ArmPicture] = {}
    for chunk in chunks:
        if not len(chunk):
            continue
        if first is None:
            first = float(chunk.intended.min())
        elapsed = chunk.intended - first
        while elapsed.max() >= width * _MAXIMUM_BINS:
            width *= 2
            arms = {code: arm.coarser(2, _MAXIMUM_BINS) for code, arm in arms.items()}
        for code in np.unique(chunk.arm):
            arm = arms.setdefault(int(code), ArmPicture())
            _add(arm, chunk, elapsed, chunk.arm == code, width, warm_up_seconds)
    if not arms:
        return None
    return _drawable(Picture(width, warm_up_seconds, dict(sorted(arms.items()))))


def _add(
    arm: ArmPicture,
    rows: Samples,
    elapsed: FloatArray,
    chosen: BoolArray,
    width: float,
    warm_up_seconds: float,
) -> None:
    time = np.clip((elapsed / width).astype(np.int64), 0, _MAXIMUM_BINS - 1)
    sent = chosen & np.isfinite(rows.sent)
    answered = chosen & rows.ok & np.isfinite(rows.done)
    judged = elapsed >= warm_up_seconds
    latency = _levels(rows.done - rows.intended)
    kinds = np.clip(rows.kind.astype(np.int64), 0, len(ErrorKind) - 1)
    arm.planned += np.bincount(time[chosen], minlength=_MAXIMUM_BINS)
    arm.latency += _counted(time, latency, answered, arm.latency.shape)
    arm.lag += _counted(time, _levels(rows.sent - rows.intended), sent, arm.lag.shape)
    arm.errors += _counted(time, kinds, sent & ~rows.ok, arm.errors.shape)
    arm.judged_latency += np.bincount(latency[answered & judged], minlength=_LEVELS)
    arm.judged_planned += int(np.count_nonzero(chosen & judged))


def _drawable(picture: Picture) -> Picture:
    """Bins wide enough for a quantile and few enough for a page; nothing after the last one."""
    used = max(int(np.flatnonzero(arm.planned)[-1]) + 1 for arm in picture.arms.values())
    requests = min(arm.requests for arm in picture.arms.values())
    wanted = max(1, min(_DRAWN_BINS, requests // _REQUESTS_PER_BIN))
    factor = math.ceil(used / wanted)
    bins = math.ceil(used / factor)
    return Picture(
        picture.bin_seconds * factor,
        picture.warm_up_seconds,
        {code: arm.coarser(factor, bins) for code, arm in picture.arms.items()},
    )


def _merged(counts: CountArray, factor: int, bins: int) -> CountArray:
    missing = -counts.shape[0] % factor
    padded = np.concatenate([counts, np.zeros((missing, *counts.shape[1:]), np.int64)])
    merged = padded.reshape(-1, factor, *counts.shape[1:]).sum(axis=1)[:bins]
    short = np.zeros((bins - merged.shape[0], *counts.shape[1:]), np.int64)
    return np.concatenate([merged, short])


def _levels(seconds: FloatArray) -> CountArray:
    """Latency bins; what lies outside LATENCY_EDGES goes to the outermost ones."""
    known = np.maximum(np.nan_to_num(seconds, nan=0.0), _SHORTEST_SECONDS)
    level = (np.log10(known / _SHORTEST_SECONDS) * _BINS_PER_DECADE).astype(np.int64)
    clipped: CountArray = np.minimum(level, _LEVELS - 1)
    return clipped


def _counted(
    rows: CountArray, columns: CountArray, chosen: BoolArray, shape: tuple[int, ...]
) -> CountArray:
    flat = rows[chosen] * shape[1] + columns[chosen]
    counts: CountArray = np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape)
    return counts


def _quantiles(counts: CountArray, totals: CountArray, share: float) -> FloatArray:
    """Upper edge of the latency bin that holds the share-th of `totals`, per time bin."""
    reached = np.cumsum(counts, axis=1) >= np.ceil(share * totals)[:, None]
    seconds = np.where(reached.any(axis=1), LATENCY_EDGES[1:][reached.argmax(axis=1)], math.inf)
    return np.where(totals > 0, seconds, math.nan)
