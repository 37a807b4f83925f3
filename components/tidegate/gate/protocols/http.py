"""Tensors of KServe v2 over HTTP/1.1: as raw bytes behind a JSON header, or as JSON numbers."""

import json
from typing import Any

from tidegate.gate.protocols.base import (
    Answer,
    OutputTensor,
)
from tidegate.gate.protocols.endpoint import Endpoint
from tidegate.gate.protocols.http_head import Head
from tidegate.gate.protocols.http_lane import HttpProtocol
from tidegate.gate.protocols.http_requests import RequestBuilder
from tidegate.gate.protocols.tensors import OutputDecoder
from tidegate.gate.samples import ProtocolCode
from tidegate.spec.golden import GoldenData
from tidegate.spec.signature import ModelSignature


class HttpBinary(HttpProtocol):
    """Tensors as raw bytes behind a JSON header, in both directions."""

    code = ProtocolCode.HTTP_BINARY

    def __init__(self, endpoint: Endpoint, signature: ModelSignature, golden: GoldenData) -> None:
        self._decoder = OutputDecoder(signature)
        build = RequestBuilder(endpoint, signature, golden)
        super().__init__(endpoint, [build.binary(each) for each in range(golden.count)], self._read)

    def _read(self, head: Head, body: bytes) -> Answer:
        json_length = len(body) if head.json_length is None else head.json_length
        content = json.loads(body[:json_length])
        outputs, offset = {}, json_length
        for tensor in content["outputs"]:
            size = int(tensor.get("parameters", {}).get("binary_data_size", 0))
            outputs[tensor["name"]] = self._decoder.from_bytes(
                tensor["datatype"], tuple(tensor["shape"]), body[offset : offset + size]
            )
            offset += size
        return _answer(content, outputs, head)


class HttpJson(HttpProtocol):
    """Tensors as JSON numbers, as people write requests by hand."""

    code = ProtocolCode.HTTP_JSON

    def __init__(self, endpoint: Endpoint, signature: ModelSignature, golden: GoldenData) -> None:
        self._decoder = OutputDecoder(signature)
        build = RequestBuilder(endpoint, signature, golden)
        super().__init__(endpoint, [build.json(each) for each in range(golden.count)], self._read)

    def _read(self, head: Head, body: bytes) -> Answer:
        content = json.loads(body)
        outputs = {
            tensor["name"]: self._decoder.from_numbers(
                tensor["datatype"], tuple(tensor["shape"]), tensor["data"]
            )
            for tensor in content["outputs"]
        }
        return _answer(content, outputs, head)


def _answer(content: dict[str, Any], outputs: dict[str, OutputTensor], head: Head) -> Answer:
    return Answer(
        model_name=str(content["model_name"]),
        model_version=str(content.get("model_version", "")),
        outputs=outputs,
        revision=head.revision,
    )
