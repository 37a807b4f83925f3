"""Envoy's route configuration for all services of a gateway."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tidegate.traffic.envoy.bootstrap import ROUTE_CONFIGURATION
from tidegate.traffic.envoy.clusters import grpc_cluster_name, http_cluster_name
from tidegate.traffic.envoy.durations import duration
from tidegate.traffic.envoy.user_statistics import UNARY_ROUTE
from tidegate.traffic.routes import REVISION_HEADER, SERVICE_HEADER, ServiceRoutes

HEALTH_PATH = "/healthz"
HEALTH_ROUTE = "health"
GRPC_PATHS = "/inference.GRPCInferenceService/"


def route_configuration(services: Sequence[ServiceRoutes]) -> dict[str, Any]:
    """A RouteConfiguration (v3 API): HTTP by model in the path, gRPC by service header.

    A gRPC call does not carry its model in the path. With one service the header may be left out.
    """
    routes: list[dict[str, Any]] = []
    for service in services:
        routes += _health_routes(service, alone=len(services) == 1)
        routes += _grpc_routes(service, alone=len(services) == 1)
        routes += _http_routes(service)
    routes.append(_nothing_here(services))
    return {
        "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        "name": ROUTE_CONFIGURATION,
        # A route to a cluster that does not exist is rejected as a whole; the last good one stays.
        "validate_clusters": True,
        "virtual_hosts": [{"name": "services", "domains": ["*"], "routes": routes}],
    }


def _health_routes(service: ServiceRoutes, alone: bool) -> list[dict[str, Any]]:
    paths = [f"{HEALTH_PATH}/{service.service}", *([HEALTH_PATH] if alone else [])]
    if service.live_revision is None:
        return []
    live = http_cluster_name(service.live_revision)
    return [
        {
            "name": HEALTH_ROUTE,
            "match": {"path": path},
            "route": {
                "cluster": live,
                "prefix_rewrite": f"/v2/models/{service.models[0]}/ready",
                "timeout": "5s",
            },
            "response_headers_to_add": [_header(REVISION_HEADER, service.live_revision)],
        }
        for path in paths
    ]


def _http_routes(service: ServiceRoutes) -> list[dict[str, Any]]:
    return [
        {
            "name": UNARY_ROUTE,
            "match": {"path_separated_prefix": f"/v2/models/{model}"},
            "route": _weighted(
                service, http_cluster_name, timeout=duration(service.request_timeout_seconds)
            ),
        }
        for model in service.models
    ]


def _grpc_routes(service: ServiceRoutes, alone: bool) -> list[dict[str, Any]]:
    by_header = {
        "prefix": GRPC_PATHS,
        "headers": [{"name": SERVICE_HEADER, "string_match": {"exact": service.service}}],
    }
    without_header = {
        "prefix": GRPC_PATHS,
        "headers": [{"name": SERVICE_HEADER, "present_match": False}],
    }
    # Streams end when they end; the 15 s default would cut them.
    route = _weighted(service, grpc_cluster_name, timeout="0s")
    return [
        {"name": UNARY_ROUTE, "match": match, "route": route}
        for match in ([by_header, without_header] if alone else [by_header])
    ]


def _weighted(
    service: ServiceRoutes, cluster_name: Callable[[str], str], timeout: str
) -> dict[str, Any]:
    return {
        "timeout": timeout,
        "weighted_clusters": {
            "clusters": [
                {
                    "name": cluster_name(revision),
                    "weight": weight,
                    "response_headers_to_add": [_header(REVISION_HEADER, revision)],
                }
                for revision, weight in sorted(service.weights.items())
            ]
        },
    }


def _header(name: str, value: str) -> Mapping[str, Any]:
    return {
        "header": {"key": name, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def _nothing_here(services: Sequence[ServiceRoutes]) -> dict[str, Any]:
    known = [f"/v2/models/{model}/infer" for service in services for model in service.models]
    hint = {
        "error": "no service here",
        "paths": known,
        "health": [f"{HEALTH_PATH}/{service.service}" for service in services],
        "grpc": f"name the service in the metadata {SERVICE_HEADER}",
    }
    return {
        "match": {"prefix": "/"},
        "direct_response": {
            "status": 404 if services else 503,
            "body": {"inline_string": json.dumps(hint)},
        },
        "response_headers_to_add": [_header("content-type", "application/json")],
    }
