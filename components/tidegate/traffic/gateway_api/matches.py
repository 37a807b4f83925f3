"""Which requests belong to a service, and what tells pinned ones, sessions and users apart.

Envoy Gateway orders all rules of a host by their path first and by the number of headers after
it, not by their place. So whatever has to come before users' rules repeats their paths and their
headers, and adds its own: without that a pinned request would fall back to another revision.
"""

import re
from collections.abc import Sequence
from typing import Any

from tidegate.spec.traffic import Affinity
from tidegate.traffic.routes import REVISION_HEADER, SERVICE_HEADER, ServiceRoutes

Match = dict[str, Any]
Header = dict[str, str]

INFERENCE = "inference.GRPCInferenceService"
STREAM_METHOD = "ModelStreamInfer"
HEALTH = "grpc.health.v1.Health"
UPSTREAM = "%UPSTREAM_CLUSTER%"
"""Envoy puts the cluster in the place of it: "service/<namespace>/<revision>/<port>/…"."""


def unary_paths(routes: ServiceRoutes) -> list[Match]:
    """Everything of the service's models; with a host of its own also the server's health."""
    if len(routes.models) == 1:
        found = [_prefix(f"/v2/models/{routes.models[0]}")]
    else:
        found = [_regex(rf"{_of_any_model(routes)}(/.*)?")]
    return [*found, _prefix("/v2/health")] if routes.hostnames else found


def stream_paths(routes: ServiceRoutes) -> list[Match]:
    """Answers as server-sent events. Longer than `unary_paths`, and so before them."""
    return [_regex(rf"{_of_any_model(routes)}(/versions/[^/?]+)?/generate_stream")]


def _of_any_model(routes: ServiceRoutes) -> str:
    """One expression, because a route holds few matches, and every rule repeats them."""
    return rf"/v2/models/({'|'.join(map(re.escape, routes.models))})"


def grpc_streams() -> list[Match]:
    """An exact path, and so before those of `grpc_methods`."""
    return [{"method": {"type": "Exact", "service": INFERENCE, "method": STREAM_METHOD}}]


def grpc_methods(routes: ServiceRoutes) -> list[Match]:
    services = [INFERENCE, HEALTH] if routes.hostnames else [INFERENCE]
    return [{"method": {"type": "Exact", "service": service}} for service in services]


def http_users(routes: ServiceRoutes) -> list[Header]:
    """Headers by which users' requests are known beside their path."""
    return []


def grpc_users(routes: ServiceRoutes) -> list[Header]:
    """A gRPC call does not carry its model in the path: the host or the metadata tell."""
    return [] if routes.hostnames else [_exact(SERVICE_HEADER, routes.service)]


def of_users(places: Sequence[Match], users: Sequence[Header]) -> list[Match]:
    return _with_headers(places, [users])


def of_session(
    places: Sequence[Match], users: Sequence[Header], affinity: Affinity, revision: str
) -> list[Match]:
    return _with_headers(places, [[*users, session_header(affinity, revision)]])


def of_pinned(
    places: Sequence[Match],
    users: Sequence[Header],
    sessions: Sequence[Header],
    revision: str,
) -> list[Match]:
    """Requests that name the revision, whatever else they say."""
    named = _exact(REVISION_HEADER, revision)
    found = [[*each, named] for each in _all_of_users(users, sessions)]
    return _with_headers(places, [*found, [named]] if users else found)


def of_unknown_revision(
    places: Sequence[Match], users: Sequence[Header], sessions: Sequence[Header]
) -> list[Match]:
    """Requests that name a revision which none of the pinned rules knows."""
    named = {"type": "RegularExpression", "name": REVISION_HEADER, "value": ".+"}
    return _with_headers(places, [[*each, named] for each in _all_of_users(users, sessions)])


def session_header(affinity: Affinity, revision: str) -> Header:
    """What a request of a session carries that the revision began; see `session_value`."""
    begun_by = rf"service/[^/]+/{re.escape(revision)}/[^;]*"
    if affinity.cookie is None:
        return {"type": "RegularExpression", "name": str(affinity.header), "value": begun_by}
    value = rf"(?:.*;\s*)?{re.escape(affinity.cookie)}={begun_by}(?:;.*)?"
    return {"type": "RegularExpression", "name": "cookie", "value": value}


def session_value(affinity: Affinity) -> tuple[str, str]:
    """Response header and its value, by which a client goes on with a session.

    The value is Envoy's cluster: filters for each revision would give each rule its own clusters.
    """
    if affinity.cookie is None:
        return str(affinity.header), UPSTREAM
    cookie = f"{affinity.cookie}={UPSTREAM}; Path=/; Max-Age={affinity.seconds}; HttpOnly"
    return "set-cookie", cookie


def _all_of_users(users: Sequence[Header], sessions: Sequence[Header]) -> list[list[Header]]:
    return [[*users], *([*users, session] for session in sessions)]


def _with_headers(places: Sequence[Match], headers: Sequence[Sequence[Header]]) -> list[Match]:
    return [
        {**place, "headers": [dict(each) for each in some]} if some else dict(place)
        for place in places
        for some in headers
    ]


def _prefix(value: str) -> Match:
    return {"path": {"type": "PathPrefix", "value": value}}


def _regex(value: str) -> Match:
    return {"path": {"type": "RegularExpression", "value": value}}


def _exact(name: str, value: str) -> Header:
    return {"type": "Exact", "name": name, "value": value}
