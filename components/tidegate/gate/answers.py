"""Compares one answer with the golden set."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidegate.gate.protocols.base import Answer, OutputTensor
from tidegate.gate.samples import ErrorKind
from tidegate.spec.golden import GoldenData
from tidegate.spec.release import Tolerance
from tidegate.spec.signature import ModelSignature, TensorSpec


@dataclass(frozen=True)
class Difference:
    """What is wrong with an answer."""

    kind: ErrorKind
    message: str


class AnswerChecker:
    """Knows the right answer to every golden example, as a batch of one.

    A floating-point output y agrees with ŷ when |y - ŷ| ≤ absolute + relative·|ŷ|; any other
    output must be equal. Without `checks_values` only names, shapes, datatypes, NaN and the version
    are checked. With `labels_of` values may deviate, and the label must agree for these examples.
    """

    def __init__(
        self,
        signature: ModelSignature,
        golden: GoldenData,
        tolerance: Tolerance,
        *,
        checks_values: bool = True,
        labels_of: Collection[int] | None = None,
    ) -> None:
        self._signature = signature
        self._golden = golden
        self._tolerance = tolerance
        self._label = _label_output(signature)
        self._checks_values = checks_values and labels_of is None
        self._labels_of = None if labels_of is None else frozenset(labels_of)

    def difference(self, example: int, answer: Answer) -> Difference | None:
        """The first thing that is wrong, or None."""
        expected = (self._signature.name, self._signature.version)
        served = (answer.model_name, answer.model_version)
        if served != expected:
            return Difference(
                ErrorKind.OTHER_VERSION,
                f"answered by {served[0]} version {served[1]}, expected {expected[0]} version "
                f"{expected[1]}",
            )
        names = {tensor.name for tensor in self._signature.outputs}
        if set(answer.outputs) != names:
            return Difference(
                ErrorKind.WRONG_NAME,
                f"outputs {sorted(answer.outputs)}, expected {sorted(names)}",
            )
        for tensor in self._signature.outputs:
            found = self._tensor_difference(example, tensor, answer.outputs[tensor.name])
            if found is not None:
                return found
        labels = self._labels_of
        if labels is not None and example in labels and self.same_label(example, answer) is False:
            return Difference(ErrorKind.WRONG_VALUE, "the label is no longer the golden one")
        return None

    def same_label(self, example: int, answer: Answer) -> bool | None:
        """Top-1 agreement; None when the answer or the signature has no label to compare.

        The label is the first integer output, else the position of the largest element of the
        first output.
        """
        if self._label is None or self._label.name not in answer.outputs:
            return None
        expected = self._golden.outputs[self._label.name][example]
        values = answer.outputs[self._label.name].values
        if values.size != expected.size:
            return False
        if self._label.dtype.kind in "iu":
            return bool(np.array_equal(values, expected.ravel()))
        return bool(np.argmax(values) == np.argmax(expected))

    def deviation(self, example: int, answer: Answer) -> float | None:
        """The largest |y - ŷ| over the floating-point outputs; None when nothing compares."""
        found = [
            float(np.abs(output.values - self._golden.outputs[name][example].ravel()).max())
            for name, output in answer.outputs.items()
            if name in self._golden.outputs
            and output.values.size == self._golden.outputs[name][example].size
            and output.values.dtype.kind == "f"
            and np.isfinite(output.values).all()
        ]
        return max(found, default=None)

    def _tensor_difference(
        self, example: int, tensor: TensorSpec, output: OutputTensor
    ) -> Difference | None:
        expected = self._golden.outputs[tensor.name][example : example + 1]
        name = f"output {tensor.name}"
        if output.values.size == 0:
            return Difference(ErrorKind.EMPTY_TENSOR, f"{name} is empty")
        if output.datatype != tensor.datatype:
            return Difference(
                ErrorKind.WRONG_DATATYPE,
                f"{name} is {output.datatype}, expected {tensor.datatype}",
            )
        if output.shape != expected.shape or output.values.size != expected.size:
            return Difference(
                ErrorKind.WRONG_SHAPE,
                f"{name} has shape {list(output.shape)} and {output.values.size} elements, "
                f"expected {list(expected.shape)}",
            )
        values = output.values.reshape(expected.shape)
        if values.dtype.kind == "f" and np.isnan(values).any():
            return Difference(ErrorKind.NOT_A_NUMBER, f"{name} holds NaN")
        if not self._checks_values:
            return None
        wrong = ~self._agrees(values, expected)
        if wrong.any():
            at = int(np.argmax(wrong))
            return Difference(
                ErrorKind.WRONG_VALUE,
                f"{name}[{at}] is {values.ravel()[at]}, expected {expected.ravel()[at]}",
            )
        return None

    def _agrees(self, values: NDArray[Any], expected: NDArray[Any]) -> NDArray[np.bool_]:
        if values.dtype.kind != "f":
            return np.equal(values, expected)
        wanted = expected.astype(np.float64)
        allowed = self._tolerance.absolute + self._tolerance.relative * np.abs(wanted)
        close: NDArray[np.bool_] = np.abs(values - wanted) <= allowed
        return close


def _label_output(signature: ModelSignature) -> TensorSpec | None:
    integers = [tensor for tensor in signature.outputs if tensor.dtype.kind in "iu"]
    floats = [tensor for tensor in signature.outputs if tensor.dtype.kind == "f"]
    return next(iter([*integers, *floats]), None)
