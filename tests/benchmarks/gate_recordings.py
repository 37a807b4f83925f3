"""Recorded runs of two servers of one release, cut into blocks and put together anew.

Blocks are drawn with replacement for both arms at once, so that what slowed the machine slows both;
which of the two servers plays the candidate is drawn per block, so that the true ratio is 1.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.benchmarks.gate_models import QUANTILES, FloatArray, Truth
from tidegate.gate.sample_file import read_chunks
from tidegate.gate.samples import Samples

RECORDINGS = Path(__file__).parent / "recordings"
BLOCK_SECONDS = 20.0


@dataclass(frozen=True)
class Recording:
    """Rows ordered by `intended` (seconds from the start); `lag` and `service` in seconds."""

    intended: FloatArray
    lag: FloatArray
    service: FloatArray
    arm: npt.NDArray[np.int8]

    @property
    def blocks(self) -> int:
        return int(self.intended[-1] // BLOCK_SECONDS)


def shrink(samples: Path, recording: Path, warm_up_seconds: float) -> None:
    """Keep of a run's samples what is resampled: a tenth of the bytes."""
    rows = Samples.concatenate(list(read_chunks(samples)))
    rows = rows.where(rows.ok & (rows.intended >= rows.intended.min() + warm_up_seconds))
    rows = rows.where(np.argsort(rows.intended))  # type: ignore[arg-type]
    np.savez_compressed(
        recording,
        # To the microsecond and, for the start, to the tenth of a millisecond.
        intended=np.round((rows.intended - rows.intended[0]) * 1e4).astype(np.uint32),
        lag=np.round((rows.sent - rows.intended) * 1e6).astype(np.uint32),
        service=np.round((rows.done - rows.sent) * 1e6).astype(np.uint32),
        arm=rows.arm,
    )


@cache
def load(name: str) -> Recording:
    with np.load(RECORDINGS / f"{name}.npz") as archive:
        return Recording(
            intended=archive["intended"] / 1e4,
            lag=archive["lag"] / 1e6,
            service=archive["service"] / 1e6,
            arm=archive["arm"],
        )


@cache
def recorded_truth(name: str) -> Truth:
    """The quantiles of all rows of the blocks that are drawn from, both arms together."""
    recording = load(name)
    used = recording.intended < recording.blocks * BLOCK_SECONDS
    return Truth(
        latency=_quantiles((recording.lag + recording.service)[used]),
        service=_quantiles(recording.service[used]),
    )


def resampled(
    name: str, seconds: float, generator: np.random.Generator
) -> list[tuple[FloatArray, FloatArray, FloatArray]]:
    """Intended, sent and done of the candidate and of the baseline."""
    recording = load(name)
    edges = np.searchsorted(recording.intended, np.arange(recording.blocks + 1) * BLOCK_SECONDS)
    parts: list[list[tuple[FloatArray, FloatArray, FloatArray]]] = [[], []]
    for place in range(int(np.ceil(seconds / BLOCK_SECONDS))):
        block, swap = int(generator.integers(recording.blocks)), int(generator.integers(2))
        rows = slice(edges[block], edges[block + 1])
        shift = (place - block) * BLOCK_SECONDS
        for arm in (0, 1):
            mine = recording.arm[rows] == (arm ^ swap)
            # The same block may be drawn twice, and no two requests are due at one nanosecond.
            intended = recording.intended[rows][mine] + shift
            intended = np.sort(intended + generator.uniform(0.0, 1e-4, intended.size))
            sent = intended + recording.lag[rows][mine]
            parts[arm].append((intended, sent, sent + recording.service[rows][mine]))
    return [_joined(part, seconds) for part in parts]


def _joined(
    parts: list[tuple[FloatArray, FloatArray, FloatArray]], seconds: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    intended, sent, done = (np.concatenate(column) for column in zip(*parts, strict=True))
    kept = intended < seconds
    return intended[kept], sent[kept], done[kept]


def _quantiles(seconds: FloatArray) -> dict[str, float]:
    return {name: float(np.quantile(seconds, share)) for name, share in QUANTILES.items()}
