"""The seam between the load generator and a wire protocol.

A protocol is one class: `WireProtocol`. Its `connect()` gives connections that carry one request
at a time and wait for the answer (`Connection.infer`), each in a greenlet of its own. That is all
a new protocol needs; `tests/unit/gate/test_protocol_seam.py` holds a complete one.

A protocol whose cost per request matters may also offer `lane()`: a connection that never waits
and reports from the event loop (`Lane`). HTTP and gRPC do.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from tidegate.gate.samples import ErrorKind, ProtocolCode


class RequestError(Exception):
    """A request without a usable answer; `kind` is counted, the message is kept as an example."""

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class OutputTensor:
    """One output as it was answered: `values` is flat, `shape` is what the server claims."""

    datatype: str
    shape: tuple[int, ...]
    values: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Answer:
    model_name: str
    model_version: str
    outputs: Mapping[str, OutputTensor]
    revision: str | None = None
    """What the answer itself says in x-tidegate-revision, if anything."""


class Connection(Protocol):
    """Carries one request at a time."""

    def infer(self, example: int, timeout_seconds: float) -> Answer:
        """Send golden example number `example` and return its answer.

        Raises RequestError; the connection is closed then and must not be used again.
        """

    def close(self) -> None: ...


class WireProtocol(Protocol):
    """Prebuilt requests for every golden example, and connections to send them over."""

    @property
    def code(self) -> ProtocolCode: ...

    def connect(self) -> Connection:
        """A new connection; whatever takes time happens in `infer`, under its deadline."""

    def close(self) -> None:
        """Release what connections share."""


@dataclass(frozen=True, slots=True)
class Received:
    """An answer as it came off the wire.

    `identity` is equal for two answers only when they say the same: an answer that was compared
    once need not be decoded again. Its bytes may be overwritten by the connection's next answer.
    `decode` raises RequestError.
    """

    identity: tuple[object, ...]
    size: int
    decode: Callable[[], Answer]


OnReceived = Callable[[int, Received], None]
OnRequestError = Callable[[int, RequestError], None]


class Lane(Protocol):
    """A connection that never waits: one request at a time, its end reported from the event loop.

    Exactly one report follows each `send`, unless the lane is closed before. After an error the
    lane is closed.
    """

    @property
    def is_open(self) -> bool: ...

    def send(self, example: int, token: int) -> None:
        """Start golden example number `example`; the report carries `token`."""

    def close(self) -> None: ...


@runtime_checkable
class LaneProtocol(Protocol):
    """A wire protocol with connections that never wait."""

    def lane(self, on_received: OnReceived, on_error: OnRequestError) -> Lane: ...
