"""What users of a revision meet, as one Envoy counts it for the revision's clusters.

Less than the embedded gateway knows, because Envoy Gateway offers counters by cluster only:
- Pinned requests are counted with users'. The gate asks pods directly, so these are the router's
  own probes: one for each Envoy when a revision begins to take traffic. Over gRPC they are told
  apart by their method, PROBE_METHOD.
- A request that its caller gave up has no answer and is not counted, so it is neither an error nor
  in the latencies.
- Latencies are from the request's way to the server until its last byte, and those of streams are
  among them.
- gRPC errors are what Envoy's gRPC statistics count by their status.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tidegate.cluster.names import GRPC_PORT, HTTP_PORT
from tidegate.traffic.gateway_api.prometheus_text import Sample

PROTOCOLS = {"http": HTTP_PORT, "grpc": GRPC_PORT}
PROBE_METHOD = "ServerLive"
_CLUSTER = "envoy_cluster_name"
_GRPC = re.compile(r"grpc_(?P<method>\w+)_(?P<what>failure|total)")
"""Envoy writes the method into the statistic's name, because the service's name has a dot."""


@dataclass
class ProtocolCounts:
    """One cluster of one Envoy since it started. `latency` maps upper ends in milliseconds to how
    many requests took at most so long."""

    requests: int = 0
    failed: int = 0
    grpc_failed: int = 0
    retries: int = 0
    active: int = 0
    healthy_endpoints: int | None = None
    latency: Counter[float] = field(default_factory=Counter)

    @property
    def errors(self) -> int:
        """A gRPC call that got no server is in both counts."""
        return max(self.failed, self.grpc_failed)


def clusters_pattern(namespace: str, revision: str) -> str:
    """Regular expression for names of Envoy's statistics about a revision."""
    return rf"service/{re.escape(namespace)}/{re.escape(revision)}/"


def counts(found: Iterable[Sample], namespace: str, revision: str) -> Mapping[str, ProtocolCounts]:
    """By protocol; a protocol is missing when Envoy has no cluster for it."""
    protocols: dict[str, ProtocolCounts] = {}
    for sample in found:
        protocol = _protocol(sample, namespace, revision)
        if protocol is not None:
            _add(protocols.setdefault(protocol, ProtocolCounts()), sample)
    return protocols


def _protocol(sample: Sample, namespace: str, revision: str) -> str | None:
    parts = sample.labels.get(_CLUSTER, "").split("/")
    if parts[:3] != ["service", namespace, revision] or len(parts) < 4:
        return None
    return next((name for name, port in PROTOCOLS.items() if parts[3] == str(port)), None)


def _add(into: ProtocolCounts, sample: Sample) -> None:
    name = sample.name.removeprefix("envoy_cluster_")
    match name:
        case "upstream_rq_completed":
            into.requests += int(sample.value)
        case "upstream_rq_xx":
            if sample.labels.get("envoy_response_code_class") in {"4", "5"}:
                into.failed += int(sample.value)
        case "upstream_rq_retry":
            into.retries += int(sample.value)
        case "upstream_rq_active":
            into.active += int(sample.value)
        case "membership_healthy":
            into.healthy_endpoints = (into.healthy_endpoints or 0) + int(sample.value)
        case "upstream_rq_time_bucket":
            into.latency[float(sample.labels["le"])] += int(sample.value)
        case _ if (call := _GRPC.fullmatch(name)) is not None:
            _add_grpc(into, call["method"], call["what"], int(sample.value))


def _add_grpc(into: ProtocolCounts, method: str, what: str, count: int) -> None:
    is_probe = method.endswith(PROBE_METHOD)
    if what == "failure" and not is_probe:
        into.grpc_failed += count
    if what == "total" and is_probe:
        into.requests -= count
