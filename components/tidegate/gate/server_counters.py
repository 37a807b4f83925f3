"""Reads Triton's own count of requests from its Prometheus metrics."""

import http.client
import re
import time
from collections.abc import Callable

from tidegate.gate.request import split_target
from tidegate.gate.verdict import ServerCounts

_TIMEOUT_SECONDS = 2.0
_SETTLE_SECONDS = 3.0
_POLL_SECONDS = 0.1
_LINE = re.compile(
    r"^nv_inference_request_(?P<result>success|failure)\{(?P<labels>[^}]*)\} (?P<value>\S+)$",
    re.MULTILINE,
)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


def parse_counts(metrics: str, model: str, version: str) -> ServerCounts:
    """Sum nv_inference_request_success and _failure of one model version."""
    sums = {"success": 0.0, "failure": 0.0}
    for line in _LINE.finditer(metrics):
        labels = dict(_LABEL.findall(line["labels"]))
        if labels.get("model") == model and labels.get("version") == version:
            sums[line["result"]] += float(line["value"])
    return ServerCounts(success=round(sums["success"]), failure=round(sums["failure"]))


def read_counts(target: str, model: str, version: str) -> ServerCounts | None:
    """The counters now, or None when the server does not give them."""
    host, port = split_target(target)
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return parse_counts(text, model, version) if response.status == 200 else None


def counts_since(
    before: ServerCounts, read: Callable[[], ServerCounts | None], answered: int
) -> ServerCounts | None:
    """What was counted since `before`.

    Triton counts a request a moment after it has answered it, so the counter gets a little time
    to reach the `answered` requests.
    """
    give_up = time.monotonic() + _SETTLE_SECONDS
    while True:
        now = read()
        if now is None:
            return None
        counted = ServerCounts(
            success=now.success - before.success, failure=now.failure - before.failure
        )
        if counted.success >= answered or time.monotonic() > give_up:
            return counted
        time.sleep(_POLL_SECONDS)
