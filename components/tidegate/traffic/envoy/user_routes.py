"""Routes of users' requests: by weight, and by session where the service has affinity."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.spec.traffic import Affinity
from tidegate.traffic.envoy import requests
from tidegate.traffic.envoy.clusters import grpc_cluster_name, http_cluster_name
from tidegate.traffic.envoy.user_statistics import STREAM_ROUTE, UNARY_ROUTE
from tidegate.traffic.routes import REVISION_HEADER, SERVICE_HEADER, ServiceRoutes

Header = Mapping[str, Any]


@dataclass(frozen=True)
class _Kind:
    """One kind of request: how it is recognised, and what of a route does not hang on who asks."""

    name: str
    match: requests.Match
    cluster_name: Callable[[str], str]
    limits: requests.Action


def user_routes(service: ServiceRoutes, alone: bool) -> list[dict[str, Any]]:
    """HTTP by model in the path, gRPC by the service in the metadata.

    A gRPC call does not carry its model in the path. With one service, `alone`, the metadata may
    be left out.
    """
    return [route for kind in _kinds(service, alone) for route in _routes(service, kind)]


def _kinds(service: ServiceRoutes, alone: bool) -> Iterator[_Kind]:
    named = [requests.header_is(SERVICE_HEADER, service.service)]
    unnamed = [requests.header_is_present(SERVICE_HEADER, present=False)]
    limits = requests.Limits.of(service)
    for headers in [named, unnamed] if alone else [named]:
        yield _Kind(
            STREAM_ROUTE, requests.grpc_stream(headers), grpc_cluster_name, limits.grpc_stream
        )
        yield _Kind(UNARY_ROUTE, requests.grpc(headers), grpc_cluster_name, limits.grpc)
    for model in service.models:
        yield _Kind(
            STREAM_ROUTE, requests.http_stream(model, []), http_cluster_name, limits.http_stream
        )
        yield _Kind(UNARY_ROUTE, requests.http(model, []), http_cluster_name, limits.http)


def _routes(service: ServiceRoutes, kind: _Kind) -> Iterator[dict[str, Any]]:
    """First those of sessions that have begun, then the one of everybody else."""
    action = {**kind.limits, **requests.retries(service)}
    if service.affinity is not None:
        for revision in filter(service.keeps_sessions, sorted(service.weights)):
            asks = _session_is_of(service.affinity, revision)
            yield {
                "name": kind.name,
                "match": {**kind.match, "headers": [*kind.match["headers"], asks]},
                "route": {**action, "cluster": kind.cluster_name(revision)},
                "response_headers_to_add": [
                    _names_revision(revision),
                    *_session_goes_on(service.affinity, revision),
                ],
            }
    clusters = [
        {
            "name": kind.cluster_name(revision),
            "weight": weight,
            "response_headers_to_add": [
                _names_revision(revision),
                *_session_begins(service.affinity, revision),
            ],
        }
        for revision, weight in sorted(service.weights.items())
    ]
    yield {
        "name": kind.name,
        "match": kind.match,
        "route": {**action, "weighted_clusters": {"clusters": clusters}},
    }


def _names_revision(revision: str) -> Header:
    return requests.answer_header(REVISION_HEADER, revision)


def _session_is_of(affinity: Affinity, revision: str) -> requests.Match:
    if affinity.cookie is not None:
        return requests.cookie_is(affinity.cookie, revision)
    return requests.header_is(str(affinity.header), revision)


def _session_begins(affinity: Affinity | None, revision: str) -> list[Header]:
    if affinity is None:
        return []
    if affinity.cookie is None:
        return _session_goes_on(affinity, revision)
    cookie = f"{affinity.cookie}={revision}; Path=/; Max-Age={affinity.seconds}; HttpOnly"
    return [requests.answer_header("set-cookie", cookie, beside_others=True)]


def _session_goes_on(affinity: Affinity, revision: str) -> list[Header]:
    """A cookie is kept by the client; a header is repeated, so that any answer will do to copy."""
    if affinity.header is None:
        return []
    return [requests.answer_header(affinity.header, revision)]
