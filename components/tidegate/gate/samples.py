"""Raw samples of a run: one row per planned request, never rounded, never aggregated."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
CodeArray = npt.NDArray[np.int8]
SizeArray = npt.NDArray[np.int32]

CANDIDATE_ARM = 0
BASELINE_ARM = 1
UNKNOWN_BYTES = -1
REVISION_NOT_STATED = -1


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
    GRPC_STREAM = 3
    UNKNOWN = 127

    @property
    def label(self) -> str:
        return {
            "HTTP_BINARY": "httpBinary",
            "HTTP_JSON": "httpJson",
            "GRPC_STREAM": "grpcStream",
        }.get(self.name, self.name.lower())


@dataclass(frozen=True)
class Samples:
    """Arrays of one length, and the names that `revision` points to.

    `intended`, `sent`, `done` are seconds on one monotonic clock; NaN means never sent or never
    done. `arm` is 0 for the candidate and 1 for a baseline. `kind` holds ErrorKind codes,
    `protocol` ProtocolCode codes. `bytes` is the size of the answer on the wire, -1 when unknown.
    `revision` is the place in `revisions` of the one that answered, -1 when it was not stated.
    """

    intended: FloatArray
    sent: FloatArray
    done: FloatArray
    ok: BoolArray
    arm: CodeArray
    kind: CodeArray
    protocol: CodeArray
    bytes: SizeArray
    revision: CodeArray
    revisions: tuple[str, ...] = ()

    def __len__(self) -> int:
        return int(self.intended.size)

    @classmethod
    def empty(cls) -> "Samples":
        return cls.unsent(np.empty(0), np.empty(0, np.int8))

    @classmethod
    def unsent(
        cls,
        intended: FloatArray,
        protocol: CodeArray,
        arm: CodeArray | None = None,
        revisions: tuple[str, ...] = (),
    ) -> "Samples":
        """Rows for planned requests of which none has been sent yet."""
        count = intended.size
        return cls(
            intended=intended,
            sent=np.full(count, np.nan),
            done=np.full(count, np.nan),
            ok=np.zeros(count, np.bool_),
            arm=np.full(count, CANDIDATE_ARM, np.int8) if arm is None else arm,
            kind=np.full(count, ErrorKind.UNFINISHED, np.int8),
            protocol=protocol,
            bytes=np.full(count, UNKNOWN_BYTES, np.int32),
            revision=np.full(count, REVISION_NOT_STATED, np.int8),
            revisions=revisions,
        )

    @classmethod
    def of_times(
        cls,
        intended: FloatArray,
        sent: FloatArray,
        done: FloatArray,
        ok: BoolArray,
        arm: CodeArray | None = None,
    ) -> "Samples":
        """Rows of which only the times and the result are known."""
        kind = np.where(ok, ErrorKind.NONE, ErrorKind.UNSPECIFIED).astype(np.int8)
        count = intended.size
        return cls(
            intended=intended,
            sent=sent,
            done=done,
            ok=ok,
            arm=np.full(count, CANDIDATE_ARM, np.int8) if arm is None else arm,
            kind=kind,
            protocol=np.full(count, ProtocolCode.UNKNOWN, np.int8),
            bytes=np.full(count, UNKNOWN_BYTES, np.int32),
            revision=np.full(count, REVISION_NOT_STATED, np.int8),
        )

    @classmethod
    def concatenate(cls, parts: "list[Samples]") -> "Samples":
        """All rows of parts that share their `revisions`."""
        if not parts:
            return cls.empty()
        columns = {
            name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAY_NAMES
        }
        return cls(**columns, revisions=parts[0].revisions)

    def where(self, chosen: BoolArray | slice) -> "Samples":
        """The chosen rows."""
        columns = {name: array[chosen] for name, array in self.arrays()}
        return Samples(**columns, revisions=self.revisions)

    def of_arm(self, arm: int) -> "Samples":
        """The rows of one arm."""
        return self.where(self.arm == arm)

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
        return count_labels(counts)

    def save(self, path: Path) -> None:
        """Write an uncompressed .npz with one array per field."""
        columns: dict[str, npt.NDArray[Any]] = dict(self.arrays())
        if self.revisions:
            columns["revisions"] = np.array(self.revisions)
        with path.open("wb") as stream:
            np.savez(stream, **columns)

    @classmethod
    def load(cls, path: Path) -> "Samples":
        """Read a whole file into memory; `sample_file.read_chunks` reads one of any size.

        Raises SpecError when an array is missing, has another length or another type.
        """
        from tidegate.gate.sample_file import read_chunks

        return cls.concatenate(list(read_chunks(path)))

    def arrays(self) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        return ((name, getattr(self, name)) for name in ARRAY_NAMES)


ARRAY_NAMES = tuple(field.name for field in fields(Samples) if field.name != "revisions")


def count_labels(counts: npt.NDArray[np.int64]) -> dict[str, int]:
    """Counts indexed by ErrorKind as labels, most frequent first, without the zeros."""
    found = [(kind.label, int(counts[kind])) for kind in ErrorKind if counts[kind]]
    return dict(sorted(found, key=lambda item: -item[1]))
