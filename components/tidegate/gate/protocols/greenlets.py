"""A lane over any protocol whose connections wait: each request in a greenlet of its own."""

import gevent

from tidegate.gate.protocols.base import (
    Answer,
    Connection,
    OnReceived,
    OnRequestError,
    Received,
    RequestError,
    WireProtocol,
)


class GreenletLane:
    def __init__(
        self,
        protocol: WireProtocol,
        deadline_seconds: float,
        on_received: OnReceived,
        on_error: OnRequestError,
    ) -> None:
        self._protocol, self._deadline = protocol, deadline_seconds
        self._on_received, self._on_error = on_received, on_error
        self._connection: Connection | None = protocol.connect()
        self._greenlet: gevent.Greenlet | None = None

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def send(self, example: int, token: int) -> None:
        if self._connection is not None:
            self._greenlet = gevent.spawn(self._infer, self._connection, example, token)

    def close(self) -> None:
        if self._greenlet is not None:
            self._greenlet.kill(block=False)
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _infer(self, connection: Connection, example: int, token: int) -> None:
        try:
            answer = connection.infer(example, self._deadline)
        except RequestError as error:
            self._connection = None
            self._on_error(token, error)
            return

        def decode() -> Answer:
            return answer

        # Its bytes are not known, so no two answers count as equal.
        self._on_received(token, Received((object(),), 0, decode))
