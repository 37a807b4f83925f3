"""A lane for whoever can wait: golden answers and exploring."""

from collections.abc import Callable

from gevent import Timeout
from gevent.event import AsyncResult

from tidegate.gate.protocols.base import (
    Answer,
    Lane,
    OnReceived,
    OnRequestError,
    Received,
    RequestError,
)
from tidegate.gate.samples import ErrorKind


class WaitingConnection:
    """Waits for each answer of a lane in the greenlet that asks."""

    def __init__(self, make_lane: Callable[[OnReceived, OnRequestError], Lane]) -> None:
        self._result: AsyncResult = AsyncResult()
        self._lane = make_lane(
            lambda _token, received: self._result.set(received),
            lambda _token, error: self._result.set_exception(error),
        )

    def infer(self, example: int, timeout_seconds: float) -> Answer:
        self._result = AsyncResult()
        self._lane.send(example, 0)
        try:
            received: Received = self._result.get(timeout=timeout_seconds)
        except Timeout:
            self.close()
            raise RequestError(
                ErrorKind.DEADLINE, f"no answer within {timeout_seconds:g} s"
            ) from None
        except BaseException:
            self.close()
            raise
        return received.decode()

    def close(self) -> None:
        self._lane.close()
