"""Triton Python-backend model: validates a request, answers it with `model.onnx` beside this file.

Every release carries a copy as `model.py`. What differs between releases lies in `config.pbtxt`:
tensors in `input` and `output`, and in `parameters` the settings that shape answers or latency:

- `intra_op_num_threads`: ONNX Runtime threads per model instance
- `minimum.<input>`, `maximum.<input>`: the closed range of allowed values

Only the server imports this file: `triton_python_backend_utils` exists nowhere else.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb_utils  # type: ignore[import-not-found]


class InvalidRequestError(ValueError):
    """A request outside the release's schema. The client reads the message with HTTP 400."""


@dataclass(frozen=True)
class InputRule:
    """What one input must be. A dimension of -1 takes any size from 1."""

    name: str
    dtype: np.dtype[Any]
    dims: tuple[int, ...]
    minimum: float | None
    maximum: float | None

    def check(self, values: np.ndarray[Any, Any]) -> None:
        if values.dtype != self.dtype:
            raise InvalidRequestError(
                f"input '{self.name}': datatype is {values.dtype}, send {self.dtype}"
            )
        self._check_shape(values)
        self._check_range(values)

    def _check_shape(self, values: np.ndarray[Any, Any]) -> None:
        fits = len(values.shape) == len(self.dims) and all(
            actual >= 1 and expected in (-1, actual)
            for actual, expected in zip(values.shape, self.dims, strict=True)
        )
        if not fits:
            raise InvalidRequestError(
                f"input '{self.name}': shape is {list(values.shape)}, send {list(self.dims)} "
                "where -1 is any size from 1"
            )

    def _check_range(self, values: np.ndarray[Any, Any]) -> None:
        # Written so that NaN, which compares false with everything, is refused too.
        if self.minimum is not None and not values.min() >= self.minimum:
            raise InvalidRequestError(
                f"input '{self.name}': smallest value is {values.min()}, "
                f"send {self.minimum:g} or more"
            )
        if self.maximum is not None and not values.max() <= self.maximum:
            raise InvalidRequestError(
                f"input '{self.name}': largest value is {values.max()}, "
                f"send {self.maximum:g} or less"
            )


class TritonPythonModel:
    """The class name and its three methods are the backend's interface."""

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        parameters = {key: item["string_value"] for key, item in config["parameters"].items()}
        self._rules = tuple(_input_rule(entry, parameters) for entry in config["input"])
        self._outputs = tuple(entry["name"] for entry in config["output"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(parameters["intra_op_num_threads"])
        options.inter_op_num_threads = 1
        version_folder = Path(args["model_repository"]) / args["model_version"]
        self._session = onnxruntime.InferenceSession(
            str(version_folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def execute(self, requests: list[Any]) -> list[Any]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        try:
            outputs = self._session.run(self._outputs, self._checked_inputs(request))
        except InvalidRequestError as refusal:
            return pb_utils.InferenceResponse(
                error=pb_utils.TritonError(str(refusal), pb_utils.TritonError.INVALID_ARG)
            )
        return pb_utils.InferenceResponse(
            [
                pb_utils.Tensor(name, values)
                for name, values in zip(self._outputs, outputs, strict=True)
            ]
        )

    def _checked_inputs(self, request: Any) -> dict[str, np.ndarray[Any, Any]]:
        inputs = {}
        for rule in self._rules:
            values = pb_utils.get_input_tensor_by_name(request, rule.name).as_numpy()
            rule.check(values)
            inputs[rule.name] = values
        return inputs


def _input_rule(entry: dict[str, Any], parameters: dict[str, str]) -> InputRule:
    name = entry["name"]
    minimum, maximum = parameters.get(f"minimum.{name}"), parameters.get(f"maximum.{name}")
    return InputRule(
        name=name,
        dtype=np.dtype(pb_utils.triton_string_to_numpy(entry["data_type"])),
        dims=tuple(int(size) for size in entry["dims"]),
        minimum=None if minimum is None else float(minimum),
        maximum=None if maximum is None else float(maximum),
    )
