"""KServe v2 over gRPC, unary and streaming: tritonclient's messages on raw HTTP/2 connections.

tritonclient's own InferenceServerClient builds and checks each message anew and grpcio costs
several times the CPU of the bytes; the generated message types are all that is needed of them.
"""

from collections.abc import Callable

from gevent import Timeout
from gevent.event import AsyncResult
from google.protobuf.message import DecodeError
from tritonclient.grpc import service_pb2

from tidegate.gate.protocols.base import (
    Answer,
    Connection,
    Lane,
    OnReceived,
    OnRequestError,
    Received,
    RequestError,
)
from tidegate.gate.protocols.endpoint import Endpoint
from tidegate.gate.protocols.http2 import Events, Headers, Http2, header_block
from tidegate.gate.protocols.tensors import OutputDecoder, example_inputs, raw_bytes
from tidegate.gate.protocols.waiting import WaitingConnection
from tidegate.gate.protocols.wire import Wire
from tidegate.gate.samples import ErrorKind, ProtocolCode
from tidegate.spec.golden import GoldenData
from tidegate.spec.signature import ModelSignature

_SERVICE = "/inference.GRPCInferenceService"
_STATUS_NAMES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
_KINDS = {"DEADLINE_EXCEEDED": ErrorKind.DEADLINE, "UNAVAILABLE": ErrorKind.CONNECTION}
_REVISION = "x-tidegate-revision"
_PREFIX = 5
"""Bytes before a message: whether it is compressed, and its length."""


class _Calls:
    """What all connections to one method of one server share."""

    def __init__(
        self, endpoint: Endpoint, method: str, requests: list[bytes], *, streaming: bool = False
    ) -> None:
        self._endpoint = endpoint
        self._tls = endpoint.ssl_context()
        if self._tls is not None:
            self._tls.set_alpn_protocols(["h2"])
        self._requests = requests
        self.streaming = streaming
        self.headers = Headers()
        self.block = header_block(
            [
                (":method", "POST"),
                (":scheme", "https" if endpoint.tls is not None else "http"),
                (":path", f"{_SERVICE}/{method}"),
                (":authority", endpoint.target),
                ("content-type", "application/grpc"),
                ("te", "trailers"),
                ("user-agent", "tidegate-gate"),
                *endpoint.headers(),
            ]
        )

    def lane(self, on_received: OnReceived, on_error: OnRequestError) -> Lane:
        return _GrpcLane(self, on_received, on_error)

    def request(self, example: int) -> bytes:
        return self._requests[example]

    def wire(
        self, on_bytes: Callable[[bytes], None], on_lost: Callable[[RequestError], None]
    ) -> Wire:
        endpoint = self._endpoint
        return Wire(endpoint.address, self._tls, endpoint.server_name, on_bytes, on_lost)

    def answer(self, message: bytes, revision: str | None) -> Answer:
        raise NotImplementedError


class _InferCalls(_Calls):
    def __init__(
        self,
        endpoint: Endpoint,
        signature: ModelSignature,
        golden: GoldenData,
        *,
        method: str,
        streaming: bool,
    ) -> None:
        self._decoder = OutputDecoder(signature)
        requests = [_request(signature, golden, example) for example in range(golden.count)]
        super().__init__(endpoint, method, requests, streaming=streaming)

    def connect(self) -> Connection:
        return WaitingConnection(self.lane)

    def close(self) -> None:
        """Nothing is shared between connections."""

    def answer(self, message: bytes, revision: str | None) -> Answer:
        """Raises RequestError."""
        try:
            response = self._parse(message)
            if len(response.raw_output_contents) != len(response.outputs):
                raise RequestError(
                    ErrorKind.MALFORMED,
                    f"{len(response.outputs)} outputs, "
                    f"{len(response.raw_output_contents)} contents",
                )
            outputs = {
                tensor.name: self._decoder.from_bytes(tensor.datatype, tuple(tensor.shape), content)
                for tensor, content in zip(
                    response.outputs, response.raw_output_contents, strict=True
                )
            }
        except DecodeError as error:
            raise RequestError(
                ErrorKind.MALFORMED, f"answer is not KServe v2: {type(error).__name__} {error}"
            ) from None
        return Answer(response.model_name, response.model_version, outputs, revision)

    def _parse(self, message: bytes) -> service_pb2.ModelInferResponse:
        return service_pb2.ModelInferResponse.FromString(message)


class Grpc(_InferCalls):
    """Unary ModelInfer calls."""

    code = ProtocolCode.GRPC

    def __init__(self, endpoint: Endpoint, signature: ModelSignature, golden: GoldenData) -> None:
        super().__init__(endpoint, signature, golden, method="ModelInfer", streaming=False)


class GrpcStream(_InferCalls):
    """ModelStreamInfer: one long stream a connection, an answer awaited for each request on it."""

    code = ProtocolCode.GRPC_STREAM

    def __init__(self, endpoint: Endpoint, signature: ModelSignature, golden: GoldenData) -> None:
        super().__init__(endpoint, signature, golden, method="ModelStreamInfer", streaming=True)

    def _parse(self, message: bytes) -> service_pb2.ModelInferResponse:
        response = service_pb2.ModelStreamInferResponse.FromString(message)
        if response.error_message:
            raise RequestError(ErrorKind.STATUS, f"gRPC stream: {response.error_message}")
        return response.infer_response


def ask_for_metadata(
    endpoint: Endpoint, model: str, timeout_seconds: float
) -> service_pb2.ModelMetadataResponse:
    """What the server says about a model. Raises RequestError."""
    request = service_pb2.ModelMetadataRequest(name=model).SerializeToString()
    result: AsyncResult = AsyncResult()
    lane = _Calls(endpoint, "ModelMetadata", [_framed(request)]).lane(
        lambda _token, received: result.set(received),
        lambda _token, error: result.set_exception(error),
    )
    lane.send(0, 0)
    try:
        _, body = result.get(timeout=timeout_seconds).identity
        return service_pb2.ModelMetadataResponse.FromString(body[_PREFIX:])
    except Timeout:
        raise RequestError(ErrorKind.DEADLINE, f"no answer within {timeout_seconds:g} s") from None
    except DecodeError as error:
        raise RequestError(ErrorKind.MALFORMED, f"no model metadata: {error}") from None
    finally:
        lane.close()


class _GrpcLane:
    """One connection with one call at a time."""

    def __init__(self, calls: _Calls, on_received: OnReceived, on_error: OnRequestError) -> None:
        self._calls = calls
        self._on_received, self._on_error = on_received, on_error
        self._wire: Wire | None = None
        self._http2: Http2 | None = None
        self._token: int | None = None
        self._in_stream = False
        self._begin()

    @property
    def is_open(self) -> bool:
        return self._wire is not None

    def send(self, example: int, token: int) -> None:
        self._token = token
        self._begin()
        calls, message = self._calls, self._calls.request(example)
        try:
            http2 = self._connected()
            if not self._in_stream:
                self._in_stream = calls.streaming
                http2.open(calls.block, message, end=not calls.streaming)
            else:
                http2.send(message)
        except RequestError as error:
            self._on_lost(error)

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
        self._wire = self._http2 = self._token = None
        self._in_stream = False

    def _begin(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._revision: str | None = None
        self._status: str | None = None
        self._reason = ""

    def _connected(self) -> Http2:
        if self._wire is None or self._http2 is None or not self._wire.is_open:
            self._wire = self._calls.wire(self._on_bytes, self._on_lost)
            events = Events(self._on_headers, self._on_data, self._on_end)
            self._http2 = Http2(self._wire.send, self._calls.headers, events)
        return self._http2

    def _on_bytes(self, data: bytes) -> None:
        http2 = self._http2
        if http2 is None:
            return
        try:
            http2.receive(data)
        except RequestError as error:
            self._on_lost(error)
            return
        if self._token is None and (http2.exhausted or self._http2 is not http2):
            self.close()

    def _on_headers(self, headers: dict[str, str]) -> None:
        self._revision = headers.get(_REVISION, self._revision)
        status = headers.get(":status", "200")
        if status != "200":
            self._status, self._reason = "UNKNOWN", f"HTTP {status}"
        elif "grpc-status" in headers:
            self._status = _status_name(headers["grpc-status"])
            self._reason = headers.get("grpc-message", "")

    def _on_data(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        if self._calls.streaming and self._size >= _PREFIX:
            body = self._body()
            if len(body) >= _PREFIX + _message_size(body):
                self._finish(body)

    def _on_end(self) -> None:
        self._in_stream = False
        if self._token is None:
            return
        if self._status != "OK":
            status = self._status or "no status"
            raise RequestError(
                _KINDS.get(status, ErrorKind.STATUS), f"gRPC {status}: {self._reason}"
            )
        if self._calls.streaming:
            raise RequestError(ErrorKind.MALFORMED, "the stream ended before its answer")
        self._finish(self._body())

    def _body(self) -> bytes:
        if len(self._parts) > 1:
            self._parts = [b"".join(self._parts)]
        return self._parts[0] if self._parts else b""

    def _finish(self, body: bytes) -> None:
        token, self._token = self._token, None
        revision, calls = self._revision, self._calls
        if token is None or len(body) != _PREFIX + _message_size(body):
            self._token = token
            raise RequestError(ErrorKind.MALFORMED, "the answer is not one whole message")
        self._parts, self._size = [], 0
        received = Received(
            (revision, body), len(body), lambda: calls.answer(body[_PREFIX:], revision)
        )
        self._on_received(token, received)

    def _on_lost(self, error: RequestError) -> None:
        token = self._token
        self.close()
        if token is not None:
            self._on_error(token, error)


def _message_size(body: bytes) -> int:
    if body[:1] not in (b"", b"\0"):
        raise RequestError(ErrorKind.MALFORMED, "the answer is compressed, nobody asked for it")
    return int.from_bytes(body[1:_PREFIX], "big")


def _status_name(code: str) -> str:
    known = code.isdigit() and int(code) < len(_STATUS_NAMES)
    return _STATUS_NAMES[int(code)] if known else code


def _request(signature: ModelSignature, golden: GoldenData, example: int) -> bytes:
    message = service_pb2.ModelInferRequest(model_name=signature.name)
    for tensor, array in example_inputs(golden, signature, example):
        entry = message.inputs.add()
        entry.name, entry.datatype = tensor.name, tensor.datatype
        entry.shape.extend(array.shape)
        message.raw_input_contents.append(raw_bytes(array))
    for tensor in signature.outputs:
        message.outputs.add().name = tensor.name
    content: bytes = message.SerializeToString()
    return _framed(content)


def _framed(content: bytes) -> bytes:
    """With gRPC's prefix: not compressed, its length."""
    return b"\0" + len(content).to_bytes(4, "big") + content
