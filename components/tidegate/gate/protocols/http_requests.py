"""Builds the bytes of KServe v2 requests over HTTP."""

import json
from typing import Any

from tidegate.gate.protocols.endpoint import Endpoint
from tidegate.gate.protocols.http_head import HEADER_LENGTH
from tidegate.gate.protocols.tensors import example_inputs, raw_bytes
from tidegate.spec.golden import GoldenData
from tidegate.spec.signature import ModelSignature


class RequestBuilder:
    """One request for each golden example, as a batch of one."""

    def __init__(self, endpoint: Endpoint, signature: ModelSignature, golden: GoldenData) -> None:
        self._endpoint, self._signature, self._golden = endpoint, signature, golden
        self._own_headers = [f"{name}: {value}" for name, value in endpoint.headers()]

    def binary(self, example: int) -> bytes:
        inputs, tail = [], b""
        for tensor, array in example_inputs(self._golden, self._signature, example):
            content = raw_bytes(array)
            size = {"binary_data_size": len(content)}
            inputs.append(_described(tensor.name, tensor.datatype, array) | {"parameters": size})
            tail += content
        outputs = [
            {"name": tensor.name, "parameters": {"binary_data": True}}
            for tensor in self._signature.outputs
        ]
        head = json.dumps({"inputs": inputs, "outputs": outputs}).encode()
        headers = ["Content-Type: application/octet-stream", f"{HEADER_LENGTH}: {len(head)}"]
        return self._post(headers, head + tail)

    def json(self, example: int) -> bytes:
        inputs = [
            _described(tensor.name, tensor.datatype, array) | {"data": array.ravel().tolist()}
            for tensor, array in example_inputs(self._golden, self._signature, example)
        ]
        outputs = [{"name": tensor.name} for tensor in self._signature.outputs]
        body = json.dumps({"inputs": inputs, "outputs": outputs}).encode()
        return self._post(["Content-Type: application/json"], body)

    def _post(self, headers: list[str], body: bytes) -> bytes:
        # Without a version in the path, as users call it: the answer must show the right one.
        lines = [
            f"POST /v2/models/{self._signature.name}/infer HTTP/1.1",
            f"Host: {self._endpoint.target}",
            "Accept-Encoding: identity",
            f"Content-Length: {len(body)}",
            *headers,
            *self._own_headers,
            "",
            "",
        ]
        return "\r\n".join(lines).encode() + body


def _described(name: str, datatype: str, array: Any) -> dict[str, Any]:
    return {"name": name, "shape": list(array.shape), "datatype": datatype}
