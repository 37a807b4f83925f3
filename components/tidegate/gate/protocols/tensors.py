"""Bytes of KServe v2 tensors: little-endian, row-major, fixed-size datatypes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidegate.gate.protocols.base import OutputTensor, RequestError
from tidegate.gate.samples import ErrorKind
from tidegate.spec.golden import GoldenData
from tidegate.spec.signature import ModelSignature, TensorSpec


def example_inputs(
    golden: GoldenData, signature: ModelSignature, example: int
) -> list[tuple[TensorSpec, NDArray[Any]]]:
    """Every input of one example, as a batch of one."""
    return [
        (tensor, np.ascontiguousarray(golden.inputs[tensor.name][example : example + 1]))
        for tensor in signature.inputs
    ]


def raw_bytes(array: NDArray[Any]) -> bytes:
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


class OutputDecoder:
    """Turns answered bytes or JSON numbers into arrays of the datatype the signature promises."""

    def __init__(self, signature: ModelSignature) -> None:
        self._dtypes: dict[str, np.dtype[np.generic]] = {
            tensor.datatype: tensor.dtype for tensor in signature.outputs
        }

    def from_bytes(self, datatype: str, shape: tuple[int, ...], content: bytes) -> OutputTensor:
        """Raises RequestError when the bytes are no whole number of elements."""
        dtype = self._dtypes.get(datatype)
        if dtype is None:
            return OutputTensor(datatype, shape, np.frombuffer(content, np.uint8))
        if len(content) % dtype.itemsize:
            raise RequestError(
                ErrorKind.MALFORMED, f"{len(content)} bytes are no whole number of {datatype}"
            )
        return OutputTensor(datatype, shape, np.frombuffer(content, dtype.newbyteorder("<")))

    def from_numbers(self, datatype: str, shape: tuple[int, ...], numbers: object) -> OutputTensor:
        """Raises RequestError when `numbers` do not fit the datatype."""
        try:
            values = np.asarray(numbers, dtype=self._dtypes.get(datatype)).ravel()
        except (ValueError, TypeError, OverflowError) as error:
            raise RequestError(ErrorKind.MALFORMED, f"data is not {datatype}: {error}") from None
        return OutputTensor(datatype, shape, values)
