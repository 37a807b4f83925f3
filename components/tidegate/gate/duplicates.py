"""Finds rows that were recorded twice, in bounded memory."""

import numpy as np
import numpy.typing as npt

from tidegate.gate.samples import Samples

_MAX_KEPT = 1 << 20
_MOST_PIECES = 1000
"""A run adds rows four times a second; a day of small arrays would take more room than its rows."""
_MULTIPLIERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)


class DuplicateFinder:
    """Compares fingerprints of (arm, intended, sent, done).

    Of more than a million rows it compares a share, chosen by fingerprint so that the copies of
    a row are always chosen with it.
    """

    def __init__(self) -> None:
        self._kept: list[npt.NDArray[np.uint64]] = []
        self._count = 0
        self._mask = np.uint64(0)

    def add(self, samples: Samples) -> None:
        prints = _fingerprints(samples)
        self._keep(prints)
        while self._count > _MAX_KEPT:
            self._mask = (self._mask << np.uint64(1)) | np.uint64(1)
            kept, self._kept, self._count = self._kept, [], 0
            self._keep(np.concatenate(kept))

    def count(self) -> int:
        if not self._kept:
            return 0
        prints = np.concatenate(self._kept)
        return int(prints.size - np.unique(prints).size)

    def _keep(self, prints: npt.NDArray[np.uint64]) -> None:
        if self._mask:
            prints = prints[(prints >> np.uint64(17)) & self._mask == 0]
        self._kept.append(prints)
        self._count += prints.size
        if len(self._kept) > _MOST_PIECES:
            self._kept = [np.concatenate(self._kept)]


def _fingerprints(samples: Samples) -> npt.NDArray[np.uint64]:
    mixed = samples.arm.astype(np.uint64)
    for times, multiplier in zip(
        (samples.intended, samples.sent, samples.done), _MULTIPLIERS, strict=True
    ):
        mixed ^= np.ascontiguousarray(times).view(np.uint64)
        mixed *= np.uint64(multiplier)
        mixed ^= mixed >> np.uint64(29)
    return mixed
