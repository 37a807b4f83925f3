"""A TCP connection with optional TLS that never waits, driven by gevent's event loop."""

import contextlib
import errno
import os
import socket
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent
from gevent.monkey import get_original

from tidegate.gate.protocols.base import RequestError
from tidegate.gate.samples import ErrorKind

_READ, _WRITE = 1, 2
_READ_BYTES = 1 << 18
_AGAIN = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINPROGRESS)
_buffer = memoryview(bytearray(_READ_BYTES))
"""One for all connections: what was read is copied out before anything else runs."""


class Wire:
    """Calls `on_bytes` with what arrives and `on_lost` once when the connection breaks.

    Bytes are sent at once as far as the kernel takes them, the rest as soon as it can.
    """

    def __init__(
        self,
        address: tuple[str, int],
        tls: ssl.SSLContext | None,
        server_name: str,
        on_bytes: Callable[[bytes], None],
        on_lost: Callable[[RequestError], None],
    ) -> None:
        self._on_bytes, self._on_lost = on_bytes, on_lost
        self._pending: deque[memoryview] = deque()
        self._into: memoryview | None = None
        self._socket: socket.socket | None = None
        self._connected = False
        self._secure = _Tls(tls, server_name) if tls is not None else None
        self._open(address)

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    def send(self, data: bytes) -> None:
        """Raises RequestError when the connection is gone already."""
        if self._socket is None:
            raise RequestError(ErrorKind.CONNECTION, "the connection is closed")
        if self._secure is not None:
            data = self._secure.encrypt(data)
        if self._pending or not self._connected:
            self._pending.append(memoryview(data))
            return
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self.close()
            raise _broken(error) from None
        if sent < len(data):
            self._pending.append(memoryview(data)[sent:])
            self._writable.start(self._flush)

    def read_into(self, target: memoryview) -> None:
        """Let the next bytes, as many as fit, arrive in `target`; `on_bytes` gets it when full.

        What is large is not copied again. Not for TLS, whose bytes are copied anyhow.
        """
        self._into = target

    @property
    def is_plain(self) -> bool:
        return self._secure is None

    def close(self) -> None:
        if self._socket is not None:
            self._readable.stop()
            self._writable.stop()
            self._readable.close()
            self._writable.close()
            self._socket.close()
            self._socket = None

    def _open(self, address: tuple[str, int]) -> None:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        # gevent's own sockets check and wrap every call; readiness comes from the loop here.
        plain: Any = get_original("socket", "socket")
        try:
            opened = plain(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError as error:
            raise _broken(error) from None
        self._socket = opened
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = opened.connect_ex(address)
        if code and code not in _AGAIN:
            opened.close()
            self._socket = None
            raise _broken(OSError(code, os.strerror(code)))
        loop = gevent.get_hub().loop
        self._readable = loop.io(opened.fileno(), _READ)
        self._writable = loop.io(opened.fileno(), _WRITE)
        self._writable.start(self._finish_connect)

    def _finish_connect(self) -> None:
        if self._socket is None:
            return
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._lose(_broken(OSError(code, os.strerror(code))))
            return
        self._connected = True
        self._readable.start(self._read)
        if self._secure is not None:
            self._pending.appendleft(memoryview(self._secure.start()))
        self._flush()

    def _flush(self) -> None:
        if self._socket is None:
            return
        try:
            while self._pending:
                first = self._pending[0]
                sent = self._socket.send(first)
                if sent < len(first):
                    self._pending[0] = first[sent:]
                else:
                    self._pending.popleft()
        except BlockingIOError:
            self._writable.start(self._flush)
            return
        except OSError as error:
            self._lose(_broken(error))
            return
        self._writable.stop()

    def _read(self) -> None:
        if self._socket is None:
            return
        into = self._into
        try:
            size = self._socket.recv_into(_buffer if into is None else into)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(_broken(error))
            return
        if not size:
            self._lose(RequestError(ErrorKind.CONNECTION, "the server closed the connection"))
            return
        if into is not None:
            self._into = into[size:] or None
            if self._into is None:
                self._on_bytes(b"")
            return
        data = bytes(_buffer[:size])
        if self._secure is None:
            self._on_bytes(data)
            return
        try:
            plain, reply = self._secure.decrypt(data)
        except ssl.SSLError as error:
            self._lose(RequestError(ErrorKind.CONNECTION, f"TLS: {error.reason or error}"))
            return
        if reply:
            self._pending.append(memoryview(reply))
            self._flush()
        if plain:
            self._on_bytes(plain)

    def _lose(self, error: RequestError) -> None:
        self.close()
        self._on_lost(error)


class _Tls:
    """TLS over memory, so that the socket stays ours."""

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._early = bytearray()
        self._ready = False

    def start(self) -> bytes:
        """The first bytes of the handshake."""
        self._handshake()
        return self._outgoing.read()

    def encrypt(self, data: bytes) -> bytes:
        if not self._ready:
            self._early += data
            return b""
        self._object.write(data)
        return self._outgoing.read()

    def decrypt(self, data: bytes) -> tuple[bytes, bytes]:
        """Plain bytes, and bytes to send in return. Raises ssl.SSLError."""
        self._incoming.write(data)
        if not self._ready:
            self._handshake()
        plain = bytearray()
        if self._ready:
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                while part := self._object.read(_READ_BYTES):
                    plain += part
        return bytes(plain), self._outgoing.read()

    def _handshake(self) -> None:
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return
        self._ready = True
        if self._early:
            self._object.write(self._early)
            self._early.clear()


def _broken(error: OSError) -> RequestError:
    return RequestError(ErrorKind.CONNECTION, f"{type(error).__name__}: {error.strerror or error}")
