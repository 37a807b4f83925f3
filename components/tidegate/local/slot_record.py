"""What is known of a slot: where its server listens and what must be ready there."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self

from tidegate import loopback
from tidegate.local import ports
from tidegate.loopback import NoAnswerError

READY_TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True)
class SlotRecord:
    """What is written down before anything starts, and kept while the slot exists."""

    revision: str
    service: str
    release: str
    models: tuple[tuple[str, str], ...]
    """Names and versions that must be ready."""
    http_port: int
    grpc_port: int
    metrics_port: int
    created_at: str

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The record as `asdict` and JSON made it."""
        models = tuple((name, version) for name, version in data["models"])
        return cls(**{**data, "models": models})

    @property
    def ports(self) -> tuple[int, int, int]:
        return (self.http_port, self.grpc_port, self.metrics_port)

    @property
    def http_target(self) -> str:
        return f"{ports.LOOPBACK}:{self.http_port}"

    @property
    def grpc_target(self) -> str:
        return f"{ports.LOOPBACK}:{self.grpc_port}"

    @property
    def metrics_target(self) -> str:
        return f"{ports.LOOPBACK}:{self.metrics_port}"

    @property
    def ready_paths(self) -> list[str]:
        return [f"/v2/models/{name}/versions/{version}/ready" for name, version in self.models]


async def is_ready(record: SlotRecord, pid: int) -> bool:
    """Whether the process `pid` listens there and reports every model as ready."""
    if not ports.listens(pid, record.http_port):
        return False
    try:
        for path in record.ready_paths:
            answer = await loopback.get(record.http_target, path, READY_TIMEOUT_SECONDS)
            if answer.status != HTTPStatus.OK:
                return False
    except NoAnswerError:
        return False
    return True
