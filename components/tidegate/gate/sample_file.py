"""Reads a file of samples piece by piece, so that a day of them fits into little memory."""

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tidegate.gate.samples import (
    ARRAY_NAMES,
    BASELINE_ARM,
    CANDIDATE_ARM,
    REVISION_NOT_STATED,
    UNKNOWN_BYTES,
    ErrorKind,
    ProtocolCode,
    Samples,
)
from tidegate.spec.errors import SpecError

CHUNK_ROWS = 2**18
REQUIRED = ("intended", "sent", "done", "ok")
_TIMES = ("intended", "sent", "done")
_MAX_REVISIONS = 127
_NAMES_BYTES = 1 << 20
# What zipfile, its decompressors and numpy's header reader raise for damaged bytes.
_UNREADABLE = (
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
)

Array = npt.NDArray[Any]


def read_chunks(path: Path, rows: int = CHUNK_ROWS) -> Iterator[Samples]:
    """The rows of an .npz in their order, `rows` at a time; nothing for a file without rows.

    Needs the arrays intended, sent, done (seconds) and ok (bool); arm, kind, protocol, bytes,
    revision and revisions may be missing. Raises SpecError for a file that holds anything else.
    """
    try:
        with ExitStack() as stack:
            archive = stack.enter_context(zipfile.ZipFile(path))
            columns = {
                name: stack.enter_context(_Column(archive, name, path)) for name in _names(archive)
            }
            names = _revision_names(columns.pop("revisions", None))
            yield from _chunks(columns, names, rows)
    except OSError as error:
        raise SpecError(
            "samples", str(path), f"it cannot be read ({error})", "an existing .npz file"
        ) from None
    except _UNREADABLE as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError(
            "samples", str(path), f"it is not an .npz of plain arrays ({error})", "numpy.savez"
        ) from None


@dataclass
class _Column:
    """One array of the archive, read from front to back."""

    archive: zipfile.ZipFile
    name: str
    path: Path

    def __enter__(self) -> "_Column":
        self.stream: IO[bytes] = self.archive.open(f"{self.name}.npy")
        shape, dtype = _header(self.stream)
        if dtype.hasobject:
            raise SpecError(
                f"samples.{self.name}",
                str(dtype),
                "an array of Python objects is a program, not data",
                "an array of numbers",
            )
        if len(shape) != 1:
            raise SpecError(
                f"samples.{self.name}", shape, "it is not one-dimensional", "one row per request"
            )
        self.size, self.dtype = int(shape[0]), dtype
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    def read(self, rows: int) -> Array:
        wanted = rows * self.dtype.itemsize
        content = self.stream.read(wanted)
        if len(content) != wanted:
            raise SpecError(
                f"samples.{self.name}",
                f"{len(content)} bytes",
                f"the file ends early, {wanted} bytes were announced",
                "the whole file",
            )
        return np.frombuffer(content, self.dtype)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)  # type: ignore[no-untyped-call]
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)  # type: ignore[no-untyped-call]
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream)  # type: ignore[no-untyped-call]
    return shape, dtype


def _names(archive: zipfile.ZipFile) -> list[str]:
    known = {*ARRAY_NAMES, "revisions"}
    found = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    for name in REQUIRED:
        if name not in found:
            raise SpecError(
                "samples",
                str(archive.filename),
                f"it has no array {name!r}",
                "intended, sent, done and ok",
            )
    return [name for name in dict.fromkeys(found) if name in known]


def _revision_names(column: _Column | None) -> tuple[str, ...]:
    if column is None:
        return ()
    too_long = column.size > _MAX_REVISIONS or column.size * column.dtype.itemsize > _NAMES_BYTES
    if column.dtype.kind != "U" or too_long:
        raise SpecError(
            "samples.revisions",
            f"{column.size} of {column.dtype}",
            "it is no short list of names",
            f"at most {_MAX_REVISIONS} strings",
        )
    return tuple(str(name) for name in column.read(column.size))


def _chunks(
    columns: Mapping[str, _Column], revisions: tuple[str, ...], rows: int
) -> Iterator[Samples]:
    count = columns["intended"].size
    for column in columns.values():
        if column.size != count:
            raise SpecError(
                f"samples.{column.name}",
                (column.size,),
                f"it does not match intended, which has {count} rows",
                "one-dimensional arrays of one length",
            )
        _check_type(column)
    for start in range(0, count, rows):
        size = min(rows, count - start)
        yield check_values(
            _samples({name: column.read(size) for name, column in columns.items()}, revisions)
        )


def _check_type(column: _Column) -> None:
    kind, name = column.dtype.kind, column.name
    if name == "ok":
        if kind != "b":
            raise SpecError("samples.ok", column.dtype, "it is not boolean", "an array of bool")
    elif name in _TIMES:
        if kind not in "fiu":
            raise SpecError(f"samples.{name}", column.dtype, "it is not seconds", "float64")
    elif kind not in "iub":
        raise SpecError(f"samples.{name}", column.dtype, "it is not whole numbers", "int8")


def _samples(arrays: dict[str, Array], revisions: tuple[str, ...]) -> Samples:
    count = arrays["intended"].size
    ok = arrays["ok"].astype(np.bool_)
    defaults: dict[str, Array] = {
        "arm": np.full(count, CANDIDATE_ARM, np.int8),
        "kind": np.where(ok, ErrorKind.NONE, ErrorKind.UNSPECIFIED).astype(np.int8),
        "protocol": np.full(count, ProtocolCode.UNKNOWN, np.int8),
        "bytes": np.full(count, UNKNOWN_BYTES, np.int32),
        "revision": np.full(count, REVISION_NOT_STATED, np.int8),
    }
    arrays = defaults | arrays
    _check_codes("arm", arrays["arm"], (CANDIDATE_ARM, BASELINE_ARM))
    _check_codes("kind", arrays["kind"], tuple(ErrorKind))
    _check_codes("protocol", arrays["protocol"], tuple(ProtocolCode))
    _check_codes("revision", arrays["revision"], tuple(range(-1, len(revisions))))
    return Samples(
        intended=arrays["intended"].astype(np.float64, copy=False),
        sent=arrays["sent"].astype(np.float64, copy=False),
        done=arrays["done"].astype(np.float64, copy=False),
        ok=ok,
        arm=arrays["arm"].astype(np.int8, copy=False),
        kind=arrays["kind"].astype(np.int8, copy=False),
        protocol=arrays["protocol"].astype(np.int8, copy=False),
        bytes=np.clip(arrays["bytes"], UNKNOWN_BYTES, np.iinfo(np.int32).max).astype(np.int32),
        revision=arrays["revision"].astype(np.int8, copy=False),
        revisions=revisions,
    )


def _check_codes(name: str, values: Array, allowed: tuple[int, ...]) -> None:
    wrong = ~np.isin(values, np.array(allowed))
    if wrong.any():
        raise SpecError(
            f"samples.{name}",
            int(values[np.argmax(wrong)]),
            "the code is unknown",
            f"one of {', '.join(str(code) for code in allowed)}",
        )


def check_values(samples: Samples) -> Samples:
    """The samples themselves. Raises SpecError for times that no clock shows."""
    if not np.isfinite(samples.intended).all():
        raise SpecError(
            "samples.intended",
            "NaN or infinite",
            "every request has an intended start",
            "finite seconds",
        )
    for name in _TIMES:
        times = getattr(samples, name)
        if np.isinf(times).any():
            raise SpecError(
                f"samples.{name}",
                "infinite",
                "no clock shows it",
                "finite seconds, or NaN for what never happened",
            )
        if (times < 0).any():
            raise SpecError(
                f"samples.{name}",
                float(np.nanmin(times)),
                "seconds count from the start of a clock and are not negative",
                "seconds from 0 on",
            )
    return samples
