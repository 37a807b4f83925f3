"""Envoy's route configuration for all services of a gateway."""

import json
from collections.abc import Sequence
from typing import Any

from tidegate.traffic.envoy import requests
from tidegate.traffic.envoy.bootstrap import ROUTE_CONFIGURATION
from tidegate.traffic.envoy.clusters import UpstreamServer, http_cluster_name
from tidegate.traffic.envoy.pinned_routes import pinned_routes
from tidegate.traffic.envoy.user_routes import user_routes
from tidegate.traffic.routes import REVISION_HEADER, SERVICE_HEADER, ServiceRoutes

HEALTH_PATH = "/healthz"
HEALTH_ROUTE = "health"


def route_configuration(
    services: Sequence[ServiceRoutes], servers: Sequence[UpstreamServer]
) -> dict[str, Any]:
    """A RouteConfiguration (v3 API): health, requests that name a revision, users' requests."""
    alone = len(services) == 1
    routes: list[dict[str, Any]] = []
    for service in services:
        routes += _health_routes(service, alone)
    routes += pinned_routes(servers, {each.service: each for each in services})
    for service in services:
        routes += user_routes(service, alone)
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
            "response_headers_to_add": [
                requests.answer_header(REVISION_HEADER, service.live_revision)
            ],
        }
        for path in paths
    ]


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
        "response_headers_to_add": [requests.answer_header("content-type", "application/json")],
    }
