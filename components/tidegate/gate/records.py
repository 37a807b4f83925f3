"""Raw samples on their way from a worker to samples.npz: rows in a file that only grows."""

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from tidegate.gate.samples import Samples

COLUMNS: dict[str, str] = {
    "intended": "<f8",
    "sent": "<f8",
    "done": "<f8",
    "ok": "?",
    "arm": "i1",
    "kind": "i1",
    "protocol": "i1",
    "bytes": "<i4",
    "revision": "i1",
}
ROW = np.dtype(list(COLUMNS.items()))
_COPY_ROWS = 1 << 16

Rows = NDArray[np.void]


class RowReader:
    """Reads the rows that a worker has settled, as far as it has said so."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._taken = 0

    def remove(self) -> None:
        """Give the room on disk back."""
        self._path.unlink(missing_ok=True)

    def read(self, rows: int) -> Rows:
        """Those of the file's first `rows` rows that were not read before."""
        count = rows - self._taken
        if count <= 0:
            return np.empty(0, ROW)
        read = np.fromfile(self._path, ROW, count, offset=self._taken * ROW.itemsize)
        self._taken += read.size
        return read


class SampleStore:
    """Columns on disk, appended in order of `intended`, turned into one .npz at the end."""

    def __init__(self, folder: Path) -> None:
        self._files = {name: (folder / f"{name}.column").open("wb+") for name in COLUMNS}
        self.rows = 0

    def append(self, rows: Rows) -> None:
        for name, stream in self._files.items():
            np.ascontiguousarray(rows[name]).tofile(stream)
        self.rows += rows.size

    def write_npz(self, path: Path, revisions: Sequence[str]) -> None:
        """An uncompressed .npz with one array per field of Samples, written piece by piece.

        The store is empty afterwards.
        """
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            for name, stream in self._files.items():
                stream.flush()
                stream.seek(0)
                with archive.open(f"{name}.npy", "w", force_zip64=True) as target:
                    dtype = np.dtype(COLUMNS[name])
                    npy_format.write_array_header_1_0(  # type: ignore[no-untyped-call]
                        target,
                        {
                            "descr": dtype.str,
                            "fortran_order": False,
                            "shape": (self.rows,),
                        },
                    )
                    for part in _pieces(stream, dtype.itemsize):
                        target.write(part)
                # A day's rows need their room on disk once, not twice.
                stream.truncate(0)
            if revisions:
                with archive.open("revisions.npy", "w") as target:
                    npy_format.write_array(  # type: ignore[no-untyped-call]
                        target, np.array(revisions)
                    )

    def close(self) -> None:
        for stream in self._files.values():
            stream.close()


def _pieces(stream: Any, item_bytes: int) -> Iterator[bytes]:
    while part := stream.read(_COPY_ROWS * item_bytes):
        yield part


def samples_of(rows: Rows, revisions: Sequence[str] = ()) -> Samples:
    columns = {name: np.ascontiguousarray(rows[name]) for name in COLUMNS}
    return Samples(**columns, revisions=tuple(revisions))
