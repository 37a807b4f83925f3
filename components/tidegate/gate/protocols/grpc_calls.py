"""gRPC calls on raw HTTP/2 connections: one at a time, unary or on one long stream."""

from collections.abc import Callable

from tidegate.gate.protocols.base import (
    Answer,
    Lane,
    OnReceived,
    OnRequestError,
    Received,
    RequestError,
)
from tidegate.gate.protocols.endpoint import Endpoint
from tidegate.gate.protocols.http2 import Events, Http2
from tidegate.gate.protocols.http2_headers import Headers, header_block
from tidegate.gate.protocols.wire import Wire
from tidegate.gate.samples import ErrorKind

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
PREFIX_BYTES = 5
"""Bytes before a message: whether it is compressed, and its length."""


class Calls:
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


class _GrpcLane:
    """One connection with one call at a time."""

    def __init__(self, calls: Calls, on_received: OnReceived, on_error: OnRequestError) -> None:
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
        if self._calls.streaming and self._size >= PREFIX_BYTES:
            body = self._body()
            if len(body) >= PREFIX_BYTES + _message_size(body):
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
        if token is None or len(body) != PREFIX_BYTES + _message_size(body):
            self._token = token
            raise RequestError(ErrorKind.MALFORMED, "the answer is not one whole message")
        self._parts, self._size = [], 0
        received = Received(
            (revision, body), len(body), lambda: calls.answer(body[PREFIX_BYTES:], revision)
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
    return int.from_bytes(body[1:PREFIX_BYTES], "big")


def _status_name(code: str) -> str:
    known = code.isdigit() and int(code) < len(_STATUS_NAMES)
    return _STATUS_NAMES[int(code)] if known else code


def framed(content: bytes) -> bytes:
    """With gRPC's prefix: not compressed, its length."""
    return b"\0" + len(content).to_bytes(4, "big") + content
