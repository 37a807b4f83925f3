"""KServe v2 requests for a release, built from its signature and its golden set."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2, service_pb2_grpc

from tidegate.spec.golden import GoldenData, load_golden
from tidegate.spec.release import Release

Arrays = Mapping[str, NDArray[Any]]
HEAD_LENGTH = "Inference-Header-Content-Length"


@dataclass(frozen=True)
class Reply:
    """What a user gets: `status` is the HTTP status, or the name of the gRPC status."""

    status: str
    headers: Mapping[str, str]
    outputs: Arrays
    text: str


class InferenceClient:
    """Asks a gateway for predictions over every protocol, one call at a time."""

    def __init__(self, target: str, serving_root: Path, release: Release) -> None:
        self._target = target
        self._signature = release.model
        self.golden: GoldenData = load_golden(serving_root / release.golden.path, release.model)

    def example(self, number: int = 0) -> dict[str, NDArray[Any]]:
        """Inputs of one golden example, as a batch of one."""
        return {name: values[number : number + 1] for name, values in self.golden.inputs.items()}

    def json(self, inputs: Arrays, **changes: Any) -> Reply:
        """HTTP with JSON; `changes` replace fields of the first input tensor."""
        tensors = [self._tensor(name, values) for name, values in inputs.items()]
        for tensor, values in zip(tensors, inputs.values(), strict=True):
            tensor["data"] = values.ravel().tolist()
        tensors[0].update(changes)
        response = httpx.post(self.url, json={"inputs": tensors}, timeout=10, trust_env=False)
        outputs: dict[str, NDArray[Any]] = {}
        if response.status_code == httpx.codes.OK:
            for tensor in response.json()["outputs"]:
                outputs[tensor["name"]] = np.asarray(tensor["data"]).reshape(tensor["shape"])
        return Reply(str(response.status_code), response.headers, outputs, response.text)

    def binary(self, inputs: Arrays) -> Reply:
        """HTTP with raw tensors in both directions."""
        content, headers = self.binary_request(inputs)
        response = httpx.post(
            self.url, content=content, headers=headers, timeout=10, trust_env=False
        )
        outputs: dict[str, NDArray[Any]] = {}
        if response.status_code == httpx.codes.OK:
            length = int(response.headers[HEAD_LENGTH])
            offset = length
            for tensor in json.loads(response.content[:length])["outputs"]:
                size = tensor["parameters"]["binary_data_size"]
                raw = response.content[offset : offset + size]
                outputs[tensor["name"]] = self._array(tensor["name"], tensor["shape"], raw)
                offset += size
        return Reply(str(response.status_code), response.headers, outputs, "")

    def grpc(self, inputs: Arrays) -> Reply:
        """gRPC ModelInfer with raw tensors."""
        with grpc.insecure_channel(
            self._target, options=[("grpc.enable_http_proxy", 0)]
        ) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            try:
                response, call = stub.ModelInfer.with_call(self.grpc_request(inputs), timeout=10)
            except grpc.RpcError as error:
                return Reply(error.code().name, {}, {}, str(error.details()))
            headers = dict(call.initial_metadata())
        outputs = {
            tensor.name: self._array(tensor.name, tensor.shape, raw)
            for tensor, raw in zip(response.outputs, response.raw_output_contents, strict=True)
        }
        return Reply("OK", headers, outputs, "")

    @property
    def url(self) -> str:
        return f"http://{self._target}/v2/models/{self._signature.name}/infer"

    def binary_request(self, inputs: Arrays) -> tuple[bytes, dict[str, str]]:
        tensors, tail = [], b""
        for name, values in inputs.items():
            raw = np.ascontiguousarray(values).tobytes()
            parameters = {"binary_data_size": len(raw)}
            tensors.append({**self._tensor(name, values), "parameters": parameters})
            tail += raw
        outputs = [
            {"name": tensor.name, "parameters": {"binary_data": True}}
            for tensor in self._signature.outputs
        ]
        head = json.dumps({"inputs": tensors, "outputs": outputs}).encode()
        return head + tail, {HEAD_LENGTH: str(len(head))}

    def grpc_request(self, inputs: Arrays) -> service_pb2.ModelInferRequest:
        message = service_pb2.ModelInferRequest(model_name=self._signature.name)
        for name, values in inputs.items():
            described = self._tensor(name, values)
            entry = message.inputs.add(name=name, datatype=described["datatype"])
            entry.shape.extend(described["shape"])
            message.raw_input_contents.append(np.ascontiguousarray(values).tobytes())
        return message

    def _tensor(self, name: str, values: NDArray[Any]) -> dict[str, Any]:
        datatypes = {tensor.name: tensor.datatype for tensor in self._signature.inputs}
        return {"name": name, "datatype": datatypes[name], "shape": list(values.shape)}

    def _array(self, name: str, shape: Any, raw: bytes) -> NDArray[Any]:
        dtypes = {tensor.name: tensor.dtype for tensor in self._signature.outputs}
        return np.frombuffer(raw, dtypes[name]).reshape(tuple(shape))
