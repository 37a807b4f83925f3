"""Raw samples of a run: one row per planned request, never rounded, never aggregated."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import IntEnum
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from tidegate.spec.errors import SpecError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
CodeArray = npt.NDArray[np.int8]

CANDIDATE_ARM = 0


class ErrorKind(IntEnum):
    """Why a request counts as an error; the codes are part of the file format."""

    NONE = 0
    UNSPECIFIED = 1
    UNFINISHED = 2
    DEADLINE = 3
    CONNECTION = 4
    STATUS = 5
    MALFORMED = 6
    EMPTY_TENSOR = 7
    WRONG_NAME = 8
    WRONG_DATATYPE = 9
    WRONG_SHAPE = 10
    NOT_A_NUMBER = 11
    WRONG_VALUE = 12
    OTHER_VERSION = 13

    @property
    def label(self) -> str:
        head, *tail = self.name.lower().split("_")
        return head + "".join(part.capitalize() for part in tail)

    @property
    def answered(self) -> bool:
        """Whether the server sent a successful answer, right or wrong."""
        return self is ErrorKind.NONE or self >= ErrorKind.MALFORMED


class ProtocolCode(IntEnum):
    """How a request was sent; the codes are part of the file format."""

    HTTP_BINARY = 0
    HTTP_JSON = 1
    GRPC = 2
    UNKNOWN = 127

    @property
    def label(self) -> str:
        return {"HTTP_BINARY": "httpBinary", "HTTP_JSON": "httpJson"}.get(
            self.name, self.name.lower()
        )


@dataclass(frozen=True)
class Samples:
    """Arrays of one length.

    `intended`, `sent`, `done` are seconds on one monotonic clock; NaN means never sent or never
    done. `arm` is 0 for the candidate and 1 for a baseline. `kind` holds ErrorKind codes,
    `protocol` ProtocolCode codes.
    """

    intended: FloatArray
    sent: FloatArray
    done: FloatArray
    ok: BoolArray
    arm: CodeArray
    kind: CodeArray
    protocol: CodeArray

    def __len__(self) -> int:
        return int(self.intended.size)

    @classmethod
    def empty(cls) -> "Samples":
        return cls.unsent(np.empty(0), np.empty(0, np.int8))

    @classmethod
    def unsent(cls, intended: FloatArray, protocol: CodeArray) -> "Samples":
        """Rows for planned requests of which none has been sent yet."""
        count = intended.size
        return cls(
            intended=intended,
            sent=np.full(count, np.nan),
            done=np.full(count, np.nan),
            ok=np.zeros(count, np.bool_),
            arm=np.full(count, CANDIDATE_ARM, np.int8),
            kind=np.full(count, ErrorKind.UNFINISHED, np.int8),
            protocol=protocol,
        )

    def where(self, chosen: BoolArray | slice) -> "Samples":
        """The chosen rows."""
        return Samples(**{name: array[chosen] for name, array in self._arrays()})

    @property
    def latency(self) -> FloatArray:
        """Seconds from the intended start; infinite for every request that failed."""
        return np.where(self.ok, self.done - self.intended, np.inf)

    @property
    def lag(self) -> FloatArray:
        """Seconds between intended and real start of what was sent."""
        started = ~np.isnan(self.sent)
        return self.sent[started] - self.intended[started]

    def errors_by_kind(self) -> dict[str, int]:
        """Counts of failed requests that were sent, by label, most frequent first."""
        failed = ~self.ok & ~np.isnan(self.sent)
        counts = np.bincount(self.kind[failed], minlength=len(ErrorKind))
        found = [(kind.label, int(counts[kind])) for kind in ErrorKind if counts[kind]]
        return dict(sorted(found, key=lambda item: -item[1]))

    def count_by_protocol(self) -> dict[str, int]:
        """Counts of sent requests by label."""
        started = ~np.isnan(self.sent)
        codes, counts = np.unique(self.protocol[started], return_counts=True)
        return {
            ProtocolCode(code).label: int(count) for code, count in zip(codes, counts, strict=True)
        }

    def save(self, path: Path) -> None:
        """Write an uncompressed .npz with one array per field."""
        with path.open("wb") as stream:
            np.savez(stream, **dict(self._arrays()))

    @classmethod
    def load(cls, path: Path) -> "Samples":
        """Read an .npz with at least intended, sent, done and ok.

        Raises SpecError when an array is missing, has another length or another type.
        """
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except OSError as error:
            raise SpecError(
                "samples", str(path), f"it cannot be read ({error})", "an existing .npz file"
            ) from None
        except (ValueError, BadZipFile) as error:
            raise SpecError(
                "samples", str(path), f"it is not an .npz of plain arrays ({error})", "numpy.savez"
            ) from None
        return _from_arrays(arrays, path)

    def _arrays(self) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        return ((field.name, getattr(self, field.name)) for field in fields(self))


def _from_arrays(arrays: dict[str, npt.NDArray[np.generic]], path: Path) -> Samples:
    for name in ("intended", "sent", "done", "ok"):
        if name not in arrays:
            raise SpecError(
                "samples", str(path), f"it has no array {name!r}", "intended, sent, done and ok"
            )
    count = arrays["intended"].size
    unspecified = np.where(arrays["ok"], ErrorKind.NONE, ErrorKind.UNSPECIFIED)
    defaults: dict[str, npt.NDArray[np.generic]] = {
        "arm": np.full(count, CANDIDATE_ARM, np.int8),
        "kind": unspecified.astype(np.int8),
        "protocol": np.full(count, ProtocolCode.UNKNOWN, np.int8),
    }
    arrays = defaults | arrays
    for name, array in arrays.items():
        if array.shape != (count,):
            raise SpecError(
                f"samples.{name}",
                array.shape,
                f"it does not match intended, which has {count} rows",
                "one-dimensional arrays of one length",
            )
    if arrays["ok"].dtype != np.bool_:
        raise SpecError("samples.ok", arrays["ok"].dtype, "it is not boolean", "an array of bool")
    if count and not np.isfinite(arrays["intended"].astype(np.float64)).all():
        raise SpecError(
            "samples.intended", "NaN", "every request has an intended start", "finite seconds"
        )
    return Samples(
        intended=arrays["intended"].astype(np.float64),
        sent=arrays["sent"].astype(np.float64),
        done=arrays["done"].astype(np.float64),
        ok=arrays["ok"].astype(np.bool_),
        arm=arrays["arm"].astype(np.int8),
        kind=arrays["kind"].astype(np.int8),
        protocol=arrays["protocol"].astype(np.int8),
    )
