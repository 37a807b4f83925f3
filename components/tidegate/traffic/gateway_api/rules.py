"""Rules of a service's HTTPRoute and GRPCRoute."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tidegate.cluster.names import GRPC_PORT, HTTP_PORT
from tidegate.traffic.gateway_api import matches
from tidegate.traffic.gateway_api.desired import VERSION_HEADER, DesiredRoutes
from tidegate.traffic.gateway_api.durations import duration
from tidegate.traffic.gateway_api.matches import Header, Match
from tidegate.traffic.routes import REVISION_HEADER, ServiceRoutes

Rule = dict[str, Any]

NO_LIMIT = "0s"
UNARY, STREAM = "users", "users-stream"
_SESSION = "session"


def http_rules(desired: DesiredRoutes) -> list[Rule]:
    """For each kind of request: pinned, unknown revisions, sessions, everybody else."""
    routes = desired.routes
    users = matches.http_users(routes)
    longest = routes.max_stream_seconds
    limits = {
        UNARY: duration(routes.request_timeout_seconds),
        STREAM: NO_LIMIT if longest is None else duration(longest),
    }
    places = {STREAM: matches.stream_paths(routes), UNARY: matches.unary_paths(routes)}
    return [
        {**rule, "timeouts": {"request": limits[name]}}
        for name, some in places.items()
        for rule in _rules(desired, name, some, users, HTTP_PORT)
    ]


def grpc_rules(desired: DesiredRoutes) -> list[Rule]:
    """As `http_rules`, without limits, which GRPCRoute does not know."""
    routes = desired.routes
    users = matches.grpc_users(routes)
    places = {STREAM: matches.grpc_streams(), UNARY: matches.grpc_methods(routes)}
    return [
        rule
        for name, some in places.items()
        for rule in _rules(desired, name, some, users, GRPC_PORT)
    ]


def users_rules(rules: Sequence[Rule]) -> list[str]:
    """Names of the rules that users' requests meet."""
    return [rule["name"] for rule in rules if not _is_pinned(rule["name"])]


def is_of_streams(name: str) -> bool:
    """Whether a rule of that name is one of streams."""
    return name == STREAM or name.startswith(f"{STREAM}-")


def _rules(
    desired: DesiredRoutes,
    name: str,
    places: Sequence[Match],
    users: Sequence[Header],
    port: int,
) -> Iterator[Rule]:
    routes = desired.routes
    named = _namer(name)
    affinity = routes.affinity
    keepers = sorted(filter(routes.keeps_sessions, {*routes.weights, *routes.finishing}))
    sessions = [matches.session_header(affinity, each) for each in keepers] if affinity else []
    for number, revision in enumerate(desired.pinned):
        yield {
            "name": named(f"pinned-{number}"),
            "matches": matches.of_pinned(places, users, sessions, revision),
            "filters": [_answers(desired, revision)],
            "backendRefs": [_backend(revision, port, 1)],
        }
    yield {
        "name": named("pinned-unknown"),
        "matches": matches.of_unknown_revision(places, users, sessions),
        "filters": [_answers(desired), _no_such_revision(routes)],
    }
    going_on = [matches.session_value(affinity)] if affinity and affinity.header else []
    for number, revision in enumerate(keepers):
        if affinity is not None:
            yield {
                "name": named(f"{_SESSION}-{number}"),
                "matches": matches.of_session(places, users, affinity, revision),
                "filters": [_answers(desired, matches.UPSTREAM, *going_on)],
                "backendRefs": [_backend(revision, port, 1)],
            }
    begun = [matches.session_value(affinity)] if affinity else []
    yield {
        "name": name,
        "matches": matches.of_users(places, users),
        "filters": [_answers(desired, matches.UPSTREAM, *begun)],
        "backendRefs": [
            _backend(revision, port, weight) for revision, weight in sorted(routes.weights.items())
        ],
    }


def _answers(
    desired: DesiredRoutes, revision: str | None = None, *more: tuple[str, str]
) -> dict[str, Any]:
    """Headers that the gateway puts into answers. A cookie stands beside the server's own."""
    known = [(REVISION_HEADER, revision)] if revision is not None else []
    wanted = [*known, (VERSION_HEADER, desired.version), *more]
    found: dict[str, Any] = {
        "set": [{"name": name, "value": value} for name, value in wanted if name != "set-cookie"]
    }
    cookies = [{"name": name, "value": value} for name, value in wanted if name == "set-cookie"]
    if cookies:
        found["add"] = cookies
    return {"type": "ResponseHeaderModifier", "responseHeaderModifier": found}


def _no_such_revision(routes: ServiceRoutes) -> dict[str, Any]:
    reference = {
        "group": "gateway.envoyproxy.io",
        "kind": "HTTPRouteFilter",
        "name": routes.service,
    }
    return {"type": "ExtensionRef", "extensionRef": reference}


def _backend(revision: str, port: int, weight: int) -> dict[str, Any]:
    """No filter of its own: with one, Envoy Gateway would give the rule a cluster of its own."""
    return {"kind": "Service", "group": "", "name": revision, "port": port, "weight": weight}


def _namer(name: str) -> Callable[[str], str]:
    return lambda role: f"{name}-{role}"


def _is_pinned(name: str) -> bool:
    return "-pinned-" in name
