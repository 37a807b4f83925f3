"""What requests of the KServe v2 protocol look like to Envoy, and how they are routed on."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from tidegate.traffic.envoy.durations import duration
from tidegate.traffic.routes import ServiceRoutes

Match = dict[str, Any]
Action = dict[str, Any]

GRPC_PATHS = "/inference.GRPCInferenceService/"
GRPC_STREAM_PATH = f"{GRPC_PATHS}ModelStreamInfer"
ANY_MODEL = r"[^/?]+"
NO_LIMIT = "0s"

RETRY_ON = "connect-failure,refused-stream,reset-before-request"
"""Only what never reached a server: repeating anything else could infer twice."""


def grpc_stream(headers: Sequence[Match]) -> Match:
    return {"path": GRPC_STREAM_PATH, "headers": list(headers)}


def grpc(headers: Sequence[Match]) -> Match:
    """Every call of the inference service; `grpc_stream` has to stand before it."""
    return {"prefix": GRPC_PATHS, "headers": list(headers)}


def http_stream(model: str | None, headers: Sequence[Match]) -> Match:
    """Answers as server-sent events; None means of any model."""
    name = ANY_MODEL if model is None else re.escape(model)
    regex = rf"/v2/models/{name}(/versions/[^/?]+)?/generate_stream"
    return {"safe_regex": {"regex": regex}, "headers": list(headers)}


def http(model: str | None, headers: Sequence[Match]) -> Match:
    """Everything of a model, None means of any; `http_stream` has to stand before it."""
    path = "/v2/models" if model is None else f"/v2/models/{model}"
    return {"path_separated_prefix": path, "headers": list(headers)}


def header_is(name: str, value: str) -> Match:
    return {"name": name, "string_match": {"exact": value}}


def header_is_present(name: str, present: bool) -> Match:
    return {"name": name, "present_match": present}


def cookie_is(name: str, value: str) -> Match:
    regex = rf"(?:.*;\s*)?{re.escape(name)}={re.escape(value)}(?:\s*;.*)?"
    return {"name": "cookie", "string_match": {"safe_regex": {"regex": regex}}}


def answer_header(name: str, value: str, *, beside_others: bool = False) -> Mapping[str, Any]:
    """A header that the gateway puts into answers; `beside_others` keeps those of that name."""
    action = "APPEND_IF_EXISTS_OR_ADD" if beside_others else "OVERWRITE_IF_EXISTS_OR_ADD"
    return {"header": {"key": name, "value": value}, "append_action": action}


@dataclass(frozen=True)
class Limits:
    """How long the gateway lets requests of one service last, in seconds; None for no limit.

    gRPC calls are limited like HTTP requests: a server that hangs would keep them open for ever,
    and nothing would drain. A caller's shorter deadline still ends its call before.
    """

    request_seconds: float | None
    stream_seconds: float | None

    @classmethod
    def of(cls, service: ServiceRoutes | None) -> Self:
        """Before the service has routes, its callers' own limits are the only ones."""
        if service is None:
            return cls(None, None)
        return cls(service.request_timeout_seconds, service.max_stream_seconds)

    @property
    def http(self) -> Action:
        return {"timeout": _duration(self.request_seconds)}

    @property
    def http_stream(self) -> Action:
        return {"timeout": _duration(self.stream_seconds)}

    @property
    def grpc(self) -> Action:
        return _longest(self.request_seconds)

    @property
    def grpc_stream(self) -> Action:
        return _longest(self.stream_seconds)


def _longest(seconds: float | None) -> Action:
    """For gRPC: the status is DEADLINE_EXCEEDED. After a timeout it would be UNAVAILABLE, which
    clients repeat."""
    return {"timeout": NO_LIMIT, "max_stream_duration": {"max_stream_duration": _duration(seconds)}}


def _duration(seconds: float | None) -> str:
    return NO_LIMIT if seconds is None else duration(seconds)


def retries(service: ServiceRoutes) -> Action:
    if not service.retries:
        return {}
    return {
        "retry_policy": {
            "retry_on": RETRY_ON,
            "num_retries": service.retries,
            "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
        }
    }
