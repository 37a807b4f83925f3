"""Envoy clusters of one revision: one for HTTP, one for gRPC."""

from dataclasses import dataclass
from typing import Any

from tidegate.traffic.envoy.durations import duration

HTTP_SUFFIX = "-http"
GRPC_SUFFIX = "-grpc"


@dataclass(frozen=True)
class UpstreamServer:
    """Where a revision's server listens, and how its readiness is asked."""

    service: str
    revision: str
    host: str
    http_port: int
    grpc_port: int
    ready_path: str
    health_interval_seconds: float


def http_cluster_name(revision: str) -> str:
    return revision + HTTP_SUFFIX


def grpc_cluster_name(revision: str) -> str:
    return revision + GRPC_SUFFIX


def cluster_names(revision: str) -> tuple[str, str]:
    return http_cluster_name(revision), grpc_cluster_name(revision)


def clusters(server: UpstreamServer) -> list[dict[str, Any]]:
    """Clusters (v3 API) with active health checks; no host is used while it is unhealthy."""
    return [
        _cluster(
            http_cluster_name(server.revision),
            server,
            server.http_port,
            {"http_health_check": {"path": server.ready_path}},
            {"http_protocol_options": {}},
        ),
        _cluster(
            grpc_cluster_name(server.revision),
            server,
            server.grpc_port,
            {"grpc_health_check": {}},
            {"http2_protocol_options": {}},
        ),
    ]


def _cluster(
    name: str,
    server: UpstreamServer,
    port: int,
    health_check: dict[str, Any],
    protocol: dict[str, Any],
) -> dict[str, Any]:
    interval = duration(server.health_interval_seconds)
    return {
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "lb_policy": "LEAST_REQUEST",
        # 0: never send requests to hosts known to be unhealthy.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        # The default of 1024 would turn a burst into 503s although the server only queues.
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": 16384,
                    "max_pending_requests": 16384,
                    "max_requests": 16384,
                    "max_retries": 16384,
                }
            ]
        },
        "health_checks": [
            {
                "timeout": "2s",
                "interval": interval,
                "no_traffic_interval": interval,
                "unhealthy_threshold": 2,
                "healthy_threshold": 1,
                **health_check,
            }
        ],
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [
                {
                    "lb_endpoints": [
                        {
                            "endpoint": {
                                "address": {
                                    "socket_address": {
                                        "address": server.host,
                                        "port_value": port,
                                    }
                                }
                            }
                        }
                    ]
                }
            ],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": (
                    "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
                ),
                "explicit_http_config": protocol,
            }
        },
    }
