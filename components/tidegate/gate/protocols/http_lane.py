"""KServe v2 over HTTP/1.1: prebuilt requests on raw keep-alive connections.

The hot path writes bytes that were built once and recognises answers it has seen: a general HTTP
client costs two to four times the CPU per request. No retries, no redirects, and
`Accept-Encoding: identity`, because Triton would otherwise spend its time compressing.
"""

from collections.abc import Callable

from geventhttpclient.response import HTTPParseError, HTTPResponse

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
from tidegate.gate.protocols.http_head import Head, head_of, parse_head
from tidegate.gate.protocols.waiting import WaitingConnection
from tidegate.gate.protocols.wire import Wire
from tidegate.gate.samples import ErrorKind

_SHOWN_BODY = 200
_END_OF_HEAD = b"\r\n\r\n"
_REMEMBERED_HEADS = 64
_LARGE = 1 << 16

Decode = Callable[[Head, bytes], Answer]


class HttpProtocol:
    """Prebuilt requests, one per golden example; `decode` reads the body of an answer."""

    def __init__(self, endpoint: Endpoint, requests: list[bytes], decode: Decode) -> None:
        self._endpoint = endpoint
        self._tls = endpoint.ssl_context()
        self._requests = requests
        self._decode = decode
        self._heads: dict[bytes, Head] = {}

    def connect(self) -> Connection:
        return WaitingConnection(self.lane)

    def close(self) -> None:
        """Nothing is shared between connections."""

    def lane(self, on_received: OnReceived, on_error: OnRequestError) -> Lane:
        return _HttpLane(self, on_received, on_error)

    def request(self, example: int) -> bytes:
        return self._requests[example]

    def wire(
        self, on_bytes: Callable[[bytes], None], on_lost: Callable[[RequestError], None]
    ) -> Wire:
        endpoint = self._endpoint
        return Wire(endpoint.address, self._tls, endpoint.server_name, on_bytes, on_lost)

    def head(self, content: bytes) -> Head:
        """Raises HTTPParseError. Servers repeat their heads, so they are parsed once."""
        known = self._heads.get(content)
        if known is None:
            known = parse_head(content)
            if len(self._heads) >= _REMEMBERED_HEADS:
                self._heads.clear()
            self._heads[content] = known
        return known

    def answer(self, head: Head, body: bytes) -> Answer:
        """Raises RequestError."""
        if head.status != 200:
            shown = body[:_SHOWN_BODY].decode(errors="replace")
            raise RequestError(ErrorKind.STATUS, f"HTTP {head.status}: {shown}")
        try:
            return self._decode(head, body)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RequestError(
                ErrorKind.MALFORMED, f"answer is not KServe v2: {type(error).__name__} {error}"
            ) from None


class _HttpLane:
    """One keep-alive connection: a request is written, its response read, in turn."""

    def __init__(
        self, http: HttpProtocol, on_received: OnReceived, on_error: OnRequestError
    ) -> None:
        self._http = http
        self._on_received, self._on_error = on_received, on_error
        self._wire: Wire | None = None
        self._token: int | None = None
        self._room = bytearray()
        self._reset()

    @property
    def is_open(self) -> bool:
        return self._wire is not None

    def send(self, example: int, token: int) -> None:
        self._token = token
        self._reset()
        try:
            if self._wire is None or not self._wire.is_open:
                self._wire = self._http.wire(self._on_bytes, self._on_lost)
            self._wire.send(self._http.request(example))
        except RequestError as error:
            self._on_lost(error)

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None
        self._token = None

    def _reset(self) -> None:
        self._seen = bytearray()
        self._head: Head | None = None
        self._parser: HTTPResponse | None = None
        self._is_filling = False

    def _on_bytes(self, data: bytes) -> None:
        if self._token is None:
            self.close()  # nobody asked; the connection cannot be used any more
            return
        try:
            self._take(data)
        except (HTTPParseError, ValueError) as error:
            self._on_lost(RequestError(ErrorKind.CONNECTION, f"{type(error).__name__}: {error}"))

    def _take(self, data: bytes) -> None:
        if self._parser is not None:
            self._parse_on(self._parser, data)
            return
        head, body = self._head, data
        if head is None:
            if self._seen:
                data = bytes(self._seen) + data
            end = data.find(_END_OF_HEAD)
            if end < 0:
                self._seen[:] = data
                return
            head = self._http.head(data[: end + 4])
            if head.length is None or head.status < 200:
                self._parser = HTTPResponse(method="POST")
                self._parse_on(self._parser, data)
                return
            self._head, body = head, data[end + 4 :]
            self._seen.clear()
        self._take_body(head, body)

    def _take_body(self, head: Head, part: bytes) -> None:
        length, wire = head.length or 0, self._wire
        if self._is_filling:
            self._finish(head, self._room)
            return
        have = len(self._seen) + len(part)
        if have < length and length >= _LARGE and wire is not None and wire.is_plain:
            # The rest arrives where it belongs. The room is used again by the next answer.
            if len(self._room) != length:
                self._room = bytearray(length)
            self._room[:have] = self._seen + part
            self._is_filling = True
            wire.read_into(memoryview(self._room)[have:])
        elif have < length:
            self._seen += part
        else:
            body = bytes(self._seen + part) if self._seen else part
            self._finish(head, body[:length], close=have > length)

    def _parse_on(self, parser: HTTPResponse, data: bytes) -> None:
        """Responses without a length: llhttp finds their end."""
        parser.feed(data)
        if parser.message_complete:
            content = bytes(parser._body_buffer)
            self._finish(head_of(parser), content, close=parser.should_close())

    def _finish(self, head: Head, body: bytes | bytearray, *, close: bool = False) -> None:
        token, self._token = self._token, None
        self._reset()
        if close or head.close:
            self.close()
            self._wire = None
        http = self._http
        if token is None:
            return
        self._on_received(
            token, Received((head, body), len(body), lambda: http.answer(head, bytes(body)))
        )

    def _on_lost(self, error: RequestError) -> None:
        token = self._token
        self.close()
        self._reset()
        if token is not None:
            self._on_error(token, error)
