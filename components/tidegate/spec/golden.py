"""Golden sets: inputs with the answers a correct server must give.

An `.npz` file without pickled objects holds `input:<name>` and `output:<name>` for every tensor
of the model's signature and `truth`, the true labels. Row i of every array is example i.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tidegate.spec.errors import SpecError
from tidegate.spec.signature import ModelSignature, TensorSpec

_INPUT, _OUTPUT, _TRUTH = "input:", "output:", "truth"


@dataclass(frozen=True, kw_only=True)
class GoldenData:
    """Arrays by tensor name, each with `count` rows; `truth` has shape (count,)."""

    inputs: Mapping[str, NDArray[Any]]
    outputs: Mapping[str, NDArray[Any]]
    truth: NDArray[Any]

    @property
    def count(self) -> int:
        return len(self.truth)


def load_golden(path: Path, signature: ModelSignature) -> GoldenData:
    """Read and validate a golden set.

    Raises SpecError when the file is missing or is not a golden set of `signature`.
    """
    arrays = _read(path)
    expected = {_INPUT + tensor.name: tensor for tensor in signature.inputs}
    expected |= {_OUTPUT + tensor.name: tensor for tensor in signature.outputs}
    _check_names(path, arrays, {*expected, _TRUTH})
    for name, tensor in expected.items():
        _check_array(f"{path}: {name}", arrays[name], tensor)
    _check_counts(path, arrays)
    return GoldenData(
        inputs=_part(arrays, _INPUT), outputs=_part(arrays, _OUTPUT), truth=arrays[_TRUTH]
    )


def save_golden(file: Path | BinaryIO, golden: GoldenData) -> None:
    """Write `golden`; equal arrays give equal bytes."""
    arrays = {_INPUT + name: values for name, values in golden.inputs.items()}
    arrays |= {_OUTPUT + name: values for name, values in golden.outputs.items()}
    # Not compressed: the bytes would depend on the zlib at hand.
    np.savez(file, **arrays, **{_TRUTH: golden.truth})


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError as error:
        raise SpecError(
            "golden", str(path), "there is no such file", "the path of the release's golden set"
        ) from error
    # numpy answers TypeError to a file with a lone array, EOFError to an empty one.
    except (OSError, EOFError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise SpecError(
            "golden",
            str(path),
            f"it is no readable .npz file without pickled objects ({error})",
            "a file written with numpy.savez from plain arrays",
        ) from error


def _check_names(path: Path, arrays: Mapping[str, object], expected: set[str]) -> None:
    missing, extra = sorted(expected - set(arrays)), sorted(set(arrays) - expected)
    if missing or extra:
        raise SpecError(
            str(path),
            sorted(arrays),
            f"the signature asks for other arrays (missing {missing}, not asked for {extra})",
            f"exactly the arrays {sorted(expected)}",
        )


def _check_array(field: str, values: NDArray[Any], tensor: TensorSpec) -> None:
    if values.dtype != tensor.dtype:
        raise SpecError(
            field,
            str(values.dtype),
            f"the signature says {tensor.datatype}",
            f"an array of dtype {tensor.dtype}",
        )
    if not tensor.admits_shape(values.shape):
        raise SpecError(
            field,
            values.shape,
            f"the signature says {tensor.shape}",
            "an array of that shape, with at least one example",
        )
    if not np.isfinite(values).all():
        raise SpecError(
            field,
            int(np.count_nonzero(~np.isfinite(values))),
            "that many elements are NaN or infinite and nothing equals them",
            "finite numbers",
        )
    for bound, broken in (
        (tensor.minimum, tensor.minimum is not None and values.min() < tensor.minimum),
        (tensor.maximum, tensor.maximum is not None and values.max() > tensor.maximum),
    ):
        if broken:
            raise SpecError(
                field,
                f"{values.min()} to {values.max()}",
                f"it crosses the signature's bound {bound:g}, so a server refuses it",
                f"elements between {tensor.minimum} and {tensor.maximum}",
            )


def _check_counts(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    truth = arrays[_TRUTH]
    counts = {name: len(values) for name, values in arrays.items() if values.ndim}
    if truth.ndim != 1 or len(set(counts.values())) != 1:
        raise SpecError(
            str(path),
            counts,
            "row i of every array belongs to example i and truth has one entry per example",
            "arrays of equal length",
        )


def _part(arrays: Mapping[str, NDArray[Any]], prefix: str) -> Mapping[str, NDArray[Any]]:
    return MappingProxyType(
        {
            name.removeprefix(prefix): values
            for name, values in arrays.items()
            if name.startswith(prefix)
        }
    )
