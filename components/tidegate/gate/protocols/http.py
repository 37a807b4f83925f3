"""KServe v2 over HTTP/1.1: prebuilt requests on raw keep-alive sockets, one per connection.

The hot path writes bytes that were built once and reads with llhttp (through geventhttpclient):
a general HTTP client costs two to four times the CPU per request. No retries, no redirects, and
`Accept-Encoding: identity`, because Triton would otherwise spend its time compressing.
"""

import json
from collections.abc import Callable
from typing import Any

import gevent
from gevent import socket
from geventhttpclient.response import HTTPParseError, HTTPSocketResponse

from tidegate.gate.protocols.base import Answer, Connection, OutputTensor, RequestError
from tidegate.gate.protocols.tensors import OutputDecoder, example_inputs, raw_bytes
from tidegate.gate.request import split_target
from tidegate.gate.samples import ErrorKind, ProtocolCode
from tidegate.spec.golden import GoldenData
from tidegate.spec.signature import ModelSignature

_READ_BYTES = 65536
_SHOWN_BODY = 200
_HEADER_LENGTH = "Inference-Header-Content-Length"

Decode = Callable[[HTTPSocketResponse, bytes], Answer]


class _Http:
    def __init__(self, target: str, requests: list[bytes], decode: Decode) -> None:
        self._target = target
        self._requests = requests
        self._decode = decode

    def connect(self) -> Connection:
        return _HttpConnection(self._target, self._requests, self._decode)

    def close(self) -> None:
        """Nothing is shared between connections."""


class HttpBinary(_Http):
    """Tensors as raw bytes behind a JSON header, in both directions."""

    code = ProtocolCode.HTTP_BINARY

    def __init__(self, target: str, signature: ModelSignature, golden: GoldenData) -> None:
        self._decoder = OutputDecoder(signature)
        examples = range(golden.count)
        requests = [_binary_request(target, signature, golden, example) for example in examples]
        super().__init__(target, requests, self._read)

    def _read(self, response: HTTPSocketResponse, body: bytes) -> Answer:
        length = response.get(_HEADER_LENGTH)
        head_bytes = int(length) if isinstance(length, str) else len(body)
        head = json.loads(body[:head_bytes])
        outputs, offset = {}, head_bytes
        for tensor in head["outputs"]:
            size = int(tensor.get("parameters", {}).get("binary_data_size", 0))
            outputs[tensor["name"]] = self._decoder.from_bytes(
                tensor["datatype"], tuple(tensor["shape"]), body[offset : offset + size]
            )
            offset += size
        return _answer(head, outputs)


class HttpJson(_Http):
    """Tensors as JSON numbers, as people write requests by hand."""

    code = ProtocolCode.HTTP_JSON

    def __init__(self, target: str, signature: ModelSignature, golden: GoldenData) -> None:
        self._decoder = OutputDecoder(signature)
        examples = range(golden.count)
        requests = [_json_request(target, signature, golden, example) for example in examples]
        super().__init__(target, requests, self._read)

    def _read(self, _response: HTTPSocketResponse, body: bytes) -> Answer:
        content = json.loads(body)
        return _answer(
            content,
            {
                tensor["name"]: self._decoder.from_numbers(
                    tensor["datatype"], tuple(tensor["shape"]), tensor["data"]
                )
                for tensor in content["outputs"]
            },
        )


class _HttpConnection:
    def __init__(self, target: str, requests: list[bytes], decode: Decode) -> None:
        self._target = target
        self._requests = requests
        self._decode = decode
        self._socket: socket.socket | None = None

    def infer(self, example: int, timeout_seconds: float) -> Answer:
        try:
            with gevent.Timeout(timeout_seconds):
                response, body = self._exchange(self._requests[example])
        except gevent.Timeout:
            self.close()
            raise RequestError(
                ErrorKind.DEADLINE, f"no answer within {timeout_seconds:g} s"
            ) from None
        except (OSError, HTTPParseError) as error:
            self.close()
            raise RequestError(ErrorKind.CONNECTION, f"{type(error).__name__}: {error}") from None
        except BaseException:
            self.close()
            raise
        return self._read_answer(response, body)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _exchange(self, request: bytes) -> tuple[HTTPSocketResponse, bytes]:
        if self._socket is None:
            self._socket = socket.create_connection(split_target(self._target))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)
        response = HTTPSocketResponse(self._socket, block_size=_READ_BYTES, method="POST")
        body = response.read()
        if response.should_close():
            self.close()
        return response, body

    def _read_answer(self, response: HTTPSocketResponse, body: bytes) -> Answer:
        if response.status_code != 200:
            shown = body[:_SHOWN_BODY].decode(errors="replace")
            raise RequestError(ErrorKind.STATUS, f"HTTP {response.status_code}: {shown}")
        try:
            return self._decode(response, body)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RequestError(
                ErrorKind.MALFORMED, f"answer is not KServe v2: {type(error).__name__} {error}"
            ) from None


def _answer(content: dict[str, Any], outputs: dict[str, OutputTensor]) -> Answer:
    return Answer(
        model_name=str(content["model_name"]),
        model_version=str(content.get("model_version", "")),
        outputs=outputs,
    )


def _binary_request(
    target: str, signature: ModelSignature, golden: GoldenData, example: int
) -> bytes:
    inputs, tail = [], b""
    for tensor, array in example_inputs(golden, signature, example):
        content = raw_bytes(array)
        inputs.append(
            {
                "name": tensor.name,
                "shape": list(array.shape),
                "datatype": tensor.datatype,
                "parameters": {"binary_data_size": len(content)},
            }
        )
        tail += content
    outputs = [
        {"name": tensor.name, "parameters": {"binary_data": True}} for tensor in signature.outputs
    ]
    head = json.dumps({"inputs": inputs, "outputs": outputs}).encode()
    headers = [
        "Content-Type: application/octet-stream",
        f"{_HEADER_LENGTH}: {len(head)}",
    ]
    return _post(target, signature.name, headers, head + tail)


def _json_request(
    target: str, signature: ModelSignature, golden: GoldenData, example: int
) -> bytes:
    inputs = [
        {
            "name": tensor.name,
            "shape": list(array.shape),
            "datatype": tensor.datatype,
            "data": array.ravel().tolist(),
        }
        for tensor, array in example_inputs(golden, signature, example)
    ]
    outputs = [{"name": tensor.name} for tensor in signature.outputs]
    body = json.dumps({"inputs": inputs, "outputs": outputs}).encode()
    return _post(target, signature.name, ["Content-Type: application/json"], body)


def _post(target: str, model: str, headers: list[str], body: bytes) -> bytes:
    # Without a version in the path, as users call it: the answer must show the right one.
    lines = [
        f"POST /v2/models/{model}/infer HTTP/1.1",
        f"Host: {target}",
        "Accept-Encoding: identity",
        f"Content-Length: {len(body)}",
        *headers,
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + body
