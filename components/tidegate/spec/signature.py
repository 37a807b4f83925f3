"""What a model takes and gives: tensors of the KServe v2 protocol."""

from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    import numpy as np

# The fixed-size datatypes of the KServe v2 protocol and their numpy names.
_NUMPY_NAMES = {
    "BOOL": "bool",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
}

Datatype = Literal[
    "BOOL",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "FP16",
    "FP32",
    "FP64",
]


class SpecModel(BaseModel):
    """Frozen data: camelCase in files, snake_case in Python, unknown keys refused."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )


class TensorSpec(SpecModel):
    """One tensor. A shape's -1 is the batch: any size from 1.

    `minimum` and `maximum` bound every element, both ends allowed.
    """

    name: str = Field(min_length=1)
    datatype: Datatype
    shape: tuple[int, ...] = Field(min_length=1)
    minimum: float | None = None
    maximum: float | None = None

    @property
    def dtype(self) -> "np.dtype[np.generic]":
        """Loads numpy on first use: a program that only declares a platform does not need it."""
        import numpy as np

        return np.dtype(_NUMPY_NAMES[self.datatype])

    @model_validator(mode="after")
    def _check(self) -> Self:
        if any(size < 1 and size != -1 for size in self.shape):
            raise ValueError("write sizes from 1 in a shape, or -1 for the batch")
        if None not in (self.minimum, self.maximum) and self.minimum > self.maximum:  # type: ignore[operator]
            raise ValueError("write a minimum that is not above the maximum")
        return self

    def admits_shape(self, shape: tuple[int, ...]) -> bool:
        return len(shape) == len(self.shape) and all(
            actual >= 1 and expected in (-1, actual)
            for actual, expected in zip(shape, self.shape, strict=True)
        )


class ModelSignature(SpecModel):
    """A model as the server names it: `version` is the folder's name, a positive number."""

    name: str = Field(min_length=1)
    version: str = Field(pattern=r"^[1-9][0-9]*$")
    inputs: tuple[TensorSpec, ...] = Field(min_length=1)
    outputs: tuple[TensorSpec, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        for tensors in (self.inputs, self.outputs):
            names = [tensor.name for tensor in tensors]
            if len(set(names)) != len(names):
                raise ValueError("give every input and every output a name of its own")
        return self
