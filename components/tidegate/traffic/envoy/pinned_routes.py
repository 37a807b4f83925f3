"""Routes of requests that name the revision that must answer them: a gate's, a probe's.

They lead to that revision's clusters and nowhere else, whatever the weights say, are never
repeated and know no affinity, so what such a request meets is what the revision does.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.traffic.envoy import requests
from tidegate.traffic.envoy.clusters import UpstreamServer, grpc_cluster_name, http_cluster_name
from tidegate.traffic.routes import REVISION_HEADER, ServiceRoutes

PINNED_ROUTE = "pinned"
UNKNOWN_REVISION_ROUTE = "unknown-revision"


def pinned_routes(
    servers: Sequence[UpstreamServer], services: Mapping[str, ServiceRoutes]
) -> list[dict[str, Any]]:
    """Routes to every server by its revision, in the routes of a service or not yet."""
    found = [
        route for server in servers for route in _of_server(server, services.get(server.service))
    ]
    return [*found, _unknown_revision(servers)]


def _of_server(server: UpstreamServer, service: ServiceRoutes | None) -> list[dict[str, Any]]:
    named = [requests.header_is(REVISION_HEADER, server.revision)]
    grpc, http = grpc_cluster_name(server.revision), http_cluster_name(server.revision)
    limits = requests.Limits.of(service)
    return [
        {
            "name": PINNED_ROUTE,
            "match": match,
            "route": {"cluster": cluster, **limited},
            "response_headers_to_add": [requests.answer_header(REVISION_HEADER, server.revision)],
        }
        for match, cluster, limited in (
            (requests.grpc_stream(named), grpc, limits.grpc_stream),
            (requests.grpc(named), grpc, limits.grpc),
            (requests.http_stream(None, named), http, limits.http_stream),
            (requests.http(None, named), http, limits.http),
        )
    ]


def _unknown_revision(servers: Sequence[UpstreamServer]) -> dict[str, Any]:
    reason = {
        "error": f"no revision here has the name that {REVISION_HEADER} gives, or not this path",
        "revisions": sorted(server.revision for server in servers),
        "hint": f"leave {REVISION_HEADER} out to be answered by the revision with the traffic",
    }
    return {
        "name": UNKNOWN_REVISION_ROUTE,
        "match": {
            "prefix": "/",
            "headers": [requests.header_is_present(REVISION_HEADER, present=True)],
        },
        "direct_response": {"status": 404, "body": {"inline_string": json.dumps(reason)}},
        "response_headers_to_add": [requests.answer_header("content-type", "application/json")],
    }
