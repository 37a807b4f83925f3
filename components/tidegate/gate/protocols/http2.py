"""The part of HTTP/2 (RFC 9113) that one gRPC call after another needs, on a raw connection.

General clients cost more CPU per request than the request is worth: requests are written as bytes
that were built once, and answers cost a walk over their frames. The peer is told to keep no table
of headers, so equal header blocks mean equal headers and are decoded once, by `hpack`.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from hpack import HPACKError

from tidegate.gate.protocols.base import RequestError
from tidegate.gate.protocols.http2_headers import Headers
from tidegate.gate.samples import ErrorKind

_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE, _CONTINUATION = (
    0, 1, 3, 4, 6, 7, 8, 9,
)  # fmt: skip
_END_STREAM, _ACK, _END_HEADERS, _PADDED, _PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
_INITIAL_WINDOW_SIZE, _MAX_FRAME_SIZE = 4, 5
_WINDOW = 2**31 - 1
_DEFAULT_WINDOW = 65535
_RENEW_WINDOW_AT = 2**30
_LONGEST_FRAME = 2**17
"""Larger ones would be put together from several reads; smaller ones cost a header each."""
_LAST_STREAM = 2**31 - 1


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


PREFACE = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    + frame(
        _SETTINGS,
        0,
        0,
        # No header table, no push, windows as large as they get, long frames.
        struct.pack("!HIHIHIHI", 1, 0, 2, 0, 4, _WINDOW, 5, _LONGEST_FRAME),
    )
    + frame(_WINDOW_UPDATE, 0, 0, struct.pack("!I", _WINDOW - _DEFAULT_WINDOW))
)


@dataclass
class Events:
    """What a connection reports: header blocks, pieces of the body, the end of the stream."""

    on_headers: Callable[[dict[str, str]], None]
    on_data: Callable[[bytes], None]
    on_end: Callable[[], None]


class Http2:
    """Frames of one connection with one stream at a time. `write` sends bytes.

    `receive` raises RequestError when the peer ends the stream or the connection or breaks the
    protocol.
    """

    def __init__(self, write: Callable[[bytes], None], headers: Headers, events: Events) -> None:
        self._write, self._headers, self._events = write, headers, events
        self._stream = -1
        self._peer_frame, self._peer_window = 16384, _DEFAULT_WINDOW
        self._send_window, self._stream_window = _DEFAULT_WINDOW, _DEFAULT_WINDOW
        self._received = 0
        self._unsent, self._end = b"", False
        self._buffer = b""
        self._block: bytes | None = None
        self._block_ends = False
        self.going_away = False
        write(PREFACE)

    @property
    def exhausted(self) -> bool:
        return self.going_away or self._stream >= _LAST_STREAM - 2

    def open(self, block: bytes, data: bytes, *, end: bool) -> None:
        """Begin the next stream with a header block and the first bytes of its body."""
        self._stream += 2
        self._stream_window = self._peer_window
        head = frame(_HEADERS, _END_HEADERS, self._stream, block)
        self._send(head, data, end)

    def send(self, data: bytes) -> None:
        """More of the body of the open stream."""
        self._send(b"", data, False)

    def _send(self, head: bytes, data: bytes, end: bool) -> None:
        size = len(data)
        if size <= self._peer_frame and size <= self._send_window and size <= self._stream_window:
            self._send_window -= size
            self._stream_window -= size
            self._write(head + frame(_DATA, _END_STREAM if end else 0, self._stream, data))
            return
        if head:
            self._write(head)
        self._unsent, self._end = self._unsent + data, end
        self._send_on()

    def _send_on(self) -> None:
        """Send what the peer's windows allow."""
        view, offset, frames = memoryview(self._unsent), 0, []
        while offset < len(view):
            size = min(self._peer_frame, self._send_window, self._stream_window, len(view) - offset)
            if size <= 0:
                break
            part = bytes(view[offset : offset + size])
            offset += size
            self._send_window -= size
            self._stream_window -= size
            last = self._end and offset == len(view)
            frames.append(frame(_DATA, _END_STREAM if last else 0, self._stream, part))
        if frames:
            self._unsent = self._unsent[offset:]
            self._write(b"".join(frames))

    def receive(self, data: bytes) -> None:
        """Raises RequestError."""
        buffer = self._buffer + data if self._buffer else data
        offset, size = 0, len(buffer)
        while size - offset >= 9:
            length = buffer[offset] << 16 | buffer[offset + 1] << 8 | buffer[offset + 2]
            end = offset + 9 + length
            if end > size:
                break
            stream = int.from_bytes(buffer[offset + 5 : offset + 9], "big") & 0x7FFFFFFF
            self._take(buffer[offset + 3], buffer[offset + 4], stream, buffer[offset + 9 : end])
            offset = end
        self._buffer = buffer[offset:]

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if self._block is not None and kind != _CONTINUATION:
            raise _broken("a header block is interrupted")
        if kind == _DATA:
            self._take_data(flags, stream, payload)
        elif kind == _HEADERS:
            block = _unpadded(flags, payload)
            self._block = block[5:] if flags & _PRIORITY else block
            self._block_ends = bool(flags & _END_STREAM)
            self._take_block(self._block, flags, stream)
        elif kind == _CONTINUATION and self._block is not None:
            self._block += payload
            self._take_block(self._block, flags, stream)
        elif kind == _RST_STREAM and stream == self._stream:
            code = int.from_bytes(payload, "big")
            raise RequestError(ErrorKind.CONNECTION, f"the stream was reset, code {code}")
        elif kind == _SETTINGS and not flags & _ACK:
            self._take_settings(payload)
        elif kind == _PING and not flags & _ACK:
            self._write(frame(_PING, _ACK, 0, payload))
        elif kind == _GOAWAY:
            self.going_away = True
            if int.from_bytes(payload[:4], "big") & 0x7FFFFFFF < self._stream:
                raise RequestError(ErrorKind.CONNECTION, "the server closed the connection")
        elif kind == _WINDOW_UPDATE:
            self._take_window(stream, int.from_bytes(payload, "big") & 0x7FFFFFFF)

    def _take_data(self, flags: int, stream: int, payload: bytes) -> None:
        self._received += len(payload)
        if self._received >= _RENEW_WINDOW_AT:
            more = struct.pack("!I", self._received)
            self._received = 0
            self._write(frame(_WINDOW_UPDATE, 0, 0, more))
            if not flags & _END_STREAM:
                self._write(frame(_WINDOW_UPDATE, 0, self._stream, more))
        if stream != self._stream:
            return
        self._events.on_data(_unpadded(flags, payload))
        if flags & _END_STREAM:
            self._events.on_end()

    def _take_block(self, block: bytes, flags: int, stream: int) -> None:
        if not flags & _END_HEADERS:
            return
        self._block = None
        try:
            headers = self._headers.decode(block)
        except (HPACKError, UnicodeDecodeError) as error:
            raise _broken(f"headers cannot be decoded ({error})") from None
        if stream != self._stream:
            return
        self._events.on_headers(headers)
        if self._block_ends:
            self._events.on_end()

    def _take_settings(self, payload: bytes) -> None:
        for name, value in struct.iter_unpack("!HI", payload[: len(payload) // 6 * 6]):
            if name == _INITIAL_WINDOW_SIZE:
                self._stream_window += value - self._peer_window
                self._peer_window = value
            elif name == _MAX_FRAME_SIZE:
                self._peer_frame = value
        self._write(frame(_SETTINGS, _ACK, 0, b""))
        self._send_on()

    def _take_window(self, stream: int, more: int) -> None:
        if stream == 0:
            self._send_window += more
        elif stream == self._stream:
            self._stream_window += more
        self._send_on()


def _unpadded(flags: int, payload: bytes) -> bytes:
    if not flags & _PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise _broken("padding is longer than its frame")
    return payload[1 : len(payload) - payload[0]]


def _broken(what: str) -> RequestError:
    return RequestError(ErrorKind.CONNECTION, f"HTTP/2: {what}")
