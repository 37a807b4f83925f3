"""The seam between the load generator and a wire protocol."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

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
