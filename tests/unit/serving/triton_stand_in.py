"""As much of Triton's Python backend as a model needs: runs `model.py` without a server."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from google.protobuf import json_format, text_format
from numpy.typing import NDArray
from tritonclient.grpc import model_config_pb2

from tidegate.spec.signature import TensorSpec


class TritonError(Exception):
    INVALID_ARG = "INVALID_ARG"

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Tensor:
    name: str
    values: NDArray[Any]

    def as_numpy(self) -> NDArray[Any]:
        return self.values


@dataclass(frozen=True)
class InferenceResponse:
    output_tensors: list[Tensor] = field(default_factory=list)
    error: TritonError | None = None


def _triton_string_to_numpy(triton_type: str) -> np.dtype[np.generic]:
    datatype: Any = triton_type.removeprefix("TYPE_")
    return TensorSpec(name="any", datatype=datatype, shape=(1,)).dtype


def _get_input_tensor_by_name(request: Any, name: str) -> Tensor:
    return Tensor(name, request.inputs[name])


def _backend_utils() -> ModuleType:
    module = ModuleType("triton_python_backend_utils")
    vars(module).update(
        TritonError=TritonError,
        Tensor=Tensor,
        InferenceResponse=InferenceResponse,
        triton_string_to_numpy=_triton_string_to_numpy,
        get_input_tensor_by_name=_get_input_tensor_by_name,
    )
    return module


class ServedModel:
    """The release's own `model.py`, initialised from its own `config.pbtxt`."""

    def __init__(self, folder: Path, version: str) -> None:
        text = (folder / "config.pbtxt").read_text()
        config = text_format.Parse(text, model_config_pb2.ModelConfig())
        source = folder / version / "model.py"
        module = ModuleType("served_model")
        # Executed from its source: an import would leave byte code among the release's files.
        sys.modules["triton_python_backend_utils"] = _backend_utils()
        sys.modules["served_model"] = module
        try:
            exec(compile(source.read_text(), str(source), "exec"), vars(module))  # noqa: S102
        finally:
            del sys.modules["triton_python_backend_utils"], sys.modules["served_model"]
        self._model = vars(module)["TritonPythonModel"]()
        self._model.initialize(
            {
                "model_config": json_format.MessageToJson(config, preserving_proto_field_name=True),
                "model_repository": str(folder),
                "model_version": version,
            }
        )

    def infer(self, **inputs: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Answers by tensor name. Raises TritonError as the server would answer it."""
        (response,) = self._model.execute([SimpleNamespace(inputs=inputs)])
        if response.error is not None:
            raise response.error
        return {tensor.name: tensor.values for tensor in response.output_tensors}
