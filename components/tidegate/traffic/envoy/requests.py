"""What requests of the KServe v2 protocol look like to Envoy, and how they are routed on."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

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


def unary_limits(service: ServiceRoutes | None) -> Action:
    """The service's limit for one request. Without routes of the service its caller's alone.

    gRPC calls have it as well: without a limit a server that hangs keeps calls open for ever,
    and nothing ever drains. A shorter deadline of the caller still ends the call before.
    """
    if service is None:
        return {"timeout": NO_LIMIT}
    return {"timeout": duration(service.request_timeout_seconds)}


def stream_limits(service: ServiceRoutes | None) -> Action:
    """A stream ends when it ends, or after the service's longest stream."""
    if service is None or service.max_stream_seconds is None:
        return {"timeout": NO_LIMIT}
    limit = duration(service.max_stream_seconds)
    return {"timeout": NO_LIMIT, "max_stream_duration": {"max_stream_duration": limit}}


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
