import json
import re
from dataclasses import replace
from typing import Any

import pytest

from tidegate.spec.traffic import Affinity
from tidegate.traffic.envoy.clusters import UpstreamServer
from tidegate.traffic.envoy.pinned_routes import PINNED_ROUTE, UNKNOWN_REVISION_ROUTE
from tidegate.traffic.envoy.requests import cookie_is
from tidegate.traffic.envoy.route_configuration import HEALTH_ROUTE, route_configuration
from tidegate.traffic.envoy.user_statistics import STREAM_ROUTE
from tidegate.traffic.routes import REVISION_HEADER, SERVICE_HEADER, ServiceRoutes

pytestmark = pytest.mark.unit

DIGITS = ServiceRoutes("digits", ("digits", "scaler"), {"digits-1-a": 100, "digits-2-b": 0}, 30)
LETTERS = ServiceRoutes("letters", ("letters",), {"letters-1-c": 100}, 1234567.5)


SERVERS = [
    UpstreamServer("digits", "digits-1-a", "127.0.0.1", 18001, 18002, "/ready", 1),
    UpstreamServer("digits", "digits-3-new", "127.0.0.1", 18003, 18004, "/ready", 1),
    UpstreamServer("letters", "letters-1-c", "127.0.0.1", 18005, 18006, "/ready", 1),
]


def routes(*services: ServiceRoutes) -> list[Any]:
    (host,) = route_configuration(services, SERVERS)["virtual_hosts"]
    assert host["domains"] == ["*"]
    return list(host["routes"])


def users(match: str, value: str, *services: ServiceRoutes) -> list[Any]:
    """Routes by that kind of match, those of requests that name a revision left out."""
    return [
        each
        for each in routes(*services)
        if each["match"].get(match) == value and each["name"] != PINNED_ROUTE
    ]


def http_route(model: str, *services: ServiceRoutes) -> Any:
    (found,) = users("path_separated_prefix", f"/v2/models/{model}", *services)
    return found["route"]


def http_stream_route(model: str, *services: ServiceRoutes) -> Any:
    pattern = rf"/v2/models/{model}(/versions/[^/?]+)?/generate_stream"
    (found,) = (
        each for each in routes(*services) if each["match"].get("safe_regex") == {"regex": pattern}
    )
    return found["route"]


def grpc_routes(*services: ServiceRoutes) -> list[Any]:
    return users("prefix", "/inference.GRPCInferenceService/", *services)


def grpc_stream_routes(*services: ServiceRoutes) -> list[Any]:
    return users("path", "/inference.GRPCInferenceService/ModelStreamInfer", *services)


def pinned(*services: ServiceRoutes) -> list[Any]:
    return [each for each in routes(*services) if each.get("name") == PINNED_ROUTE]


def weights(route: Any) -> dict[str, int]:
    return {each["name"]: each["weight"] for each in route["weighted_clusters"]["clusters"]}


def health_routes(*services: ServiceRoutes) -> dict[str, Any]:
    found = [each for each in routes(*services) if each.get("name") == HEALTH_ROUTE]
    return {each["match"]["path"]: each for each in found}


def test_routes_to_clusters_that_do_not_exist_are_refused_by_envoy() -> None:
    assert route_configuration([DIGITS], [])["validate_clusters"] is True


@pytest.mark.parametrize("model", ["digits", "scaler"])
def test_every_model_has_a_route_in_which_the_standby_keeps_weight_0(model: str) -> None:
    assert weights(http_route(model, DIGITS)) == {"digits-1-a-http": 100, "digits-2-b-http": 0}


def test_every_answer_carries_the_revision_it_came_from() -> None:
    clusters = [
        cluster
        for route in (
            http_route("digits", DIGITS),
            http_stream_route("digits", DIGITS),
            *(each["route"] for each in grpc_routes(DIGITS) + grpc_stream_routes(DIGITS)),
        )
        for cluster in route["weighted_clusters"]["clusters"]
    ]

    assert clusters
    for cluster in clusters:
        (header,) = cluster["response_headers_to_add"]
        assert header["header"]["key"] == REVISION_HEADER
        assert cluster["name"].rpartition("-")[0] == header["header"]["value"]
        assert header["append_action"] == "OVERWRITE_IF_EXISTS_OR_ADD"


def test_http_requests_have_the_services_limit_in_plain_seconds() -> None:
    assert http_route("digits", DIGITS)["timeout"] == "30s"
    assert http_route("letters", LETTERS)["timeout"] == "1234567.5s"


def test_grpc_calls_have_it_as_well() -> None:
    assert {longest(each["route"]) for each in grpc_routes(DIGITS)} == {"30s"}


@pytest.mark.parametrize(("limit", "written"), [(None, "0s"), (20.5, "20.5s")])
def test_streams_have_no_limit_but_their_own(limit: float | None, written: str) -> None:
    service = replace(DIGITS, max_stream_seconds=limit)

    assert http_stream_route("scaler", service)["timeout"] == written
    assert {longest(each["route"]) for each in grpc_stream_routes(service)} == {written}


def longest(route: Any) -> str:
    """A gRPC call's limit; a timeout beside it would end the call as UNAVAILABLE."""
    assert route["timeout"] == "0s"
    return str(route["max_stream_duration"]["max_stream_duration"])


def test_streams_are_matched_before_the_rest_of_their_model_or_service() -> None:
    found = routes(DIGITS)
    for streams, unary in (("path", "prefix"), ("safe_regex", "path_separated_prefix")):
        places = {
            match: [place for place, each in enumerate(found) if match in each["match"]]
            for match in (streams, unary)
        }
        assert places[streams][-1] < places[unary][-1]


def test_nothing_is_repeated_unless_the_service_says_so() -> None:
    assert not [each for each in routes(DIGITS) if "retry_policy" in each.get("route", {})]


def test_only_what_never_reached_a_server_is_repeated() -> None:
    service = replace(DIGITS, retries=2)
    policies = [
        http_route("digits", service)["retry_policy"],
        *(each["route"]["retry_policy"] for each in grpc_routes(service)),
    ]

    for policy in policies:
        assert policy["num_retries"] == 2
        assert policy["retry_on"] == "connect-failure,refused-stream,reset-before-request"


def test_a_request_that_names_a_revision_goes_to_it_alone() -> None:
    service = replace(DIGITS, retries=2, affinity=Affinity(header="x-session"))
    found = pinned(service, LETTERS)

    assert {each["route"]["cluster"] for each in found} == {
        f"{server.revision}-{protocol}" for server in SERVERS for protocol in ("http", "grpc")
    }
    for each in found:
        (asked,) = each["match"]["headers"]
        assert asked["name"] == REVISION_HEADER
        revision = asked["string_match"]["exact"]
        assert each["route"]["cluster"].rpartition("-")[0] == revision
        assert set(each["route"]) <= {"cluster", "timeout", "max_stream_duration"}
        (answer,) = each["response_headers_to_add"]
        assert answer["header"] == {"key": REVISION_HEADER, "value": revision}


def test_a_request_that_names_a_revision_is_matched_before_users_are() -> None:
    names = [each.get("name") for each in routes(DIGITS)]

    assert names[:2] == [HEALTH_ROUTE, HEALTH_ROUTE]
    assert names.index(UNKNOWN_REVISION_ROUTE) < names.index(STREAM_ROUTE)
    assert set(names[2 : names.index(UNKNOWN_REVISION_ROUTE)]) == {PINNED_ROUTE}


def test_a_revision_that_is_not_here_is_answered_with_those_that_are() -> None:
    (route,) = (each for each in routes(DIGITS) if each.get("name") == UNKNOWN_REVISION_ROUTE)

    assert route["match"]["headers"] == [{"name": REVISION_HEADER, "present_match": True}]
    assert route["direct_response"]["status"] == 404
    reason = json.loads(route["direct_response"]["body"]["inline_string"])
    assert reason["revisions"] == ["digits-1-a", "digits-3-new", "letters-1-c"]


@pytest.mark.parametrize(
    ("cookies", "matches"),
    [
        ("session=digits-1-a", True),
        ("a=b; session=digits-1-a; c=d", True),
        ("a=b;session=digits-1-a", True),
        ("session=digits-1-ab", False),
        ("my-session=digits-1-a", False),
        ("session=digits-2-b; other=digits-1-a", False),
    ],
)
def test_a_session_is_known_by_its_cookie(cookies: str, matches: bool) -> None:
    matcher = cookie_is("session", "digits-1-a")

    found = re.fullmatch(matcher["string_match"]["safe_regex"]["regex"], cookies)

    assert (found is not None) == matches


def test_grpc_of_one_service_needs_no_header() -> None:
    headers = [each["match"]["headers"] for each in grpc_routes(DIGITS)]

    assert headers == [
        [{"name": SERVICE_HEADER, "string_match": {"exact": "digits"}}],
        [{"name": SERVICE_HEADER, "present_match": False}],
    ]


def test_grpc_of_several_services_is_told_apart_by_the_header() -> None:
    found = {
        each["match"]["headers"][0]["string_match"]["exact"]: weights(each["route"])
        for each in grpc_routes(DIGITS, LETTERS)
    }

    assert found == {
        "digits": {"digits-1-a-grpc": 100, "digits-2-b-grpc": 0},
        "letters": {"letters-1-c-grpc": 100},
    }


def test_health_is_that_of_the_live_revision() -> None:
    paths = health_routes(DIGITS)

    assert set(paths) == {"/healthz", "/healthz/digits"}
    for route in paths.values():
        assert route["route"]["cluster"] == "digits-1-a-http"
        assert route["route"]["prefix_rewrite"] == "/v2/models/digits/ready"


def test_with_several_services_each_has_a_health_path_of_its_own() -> None:
    assert set(health_routes(DIGITS, LETTERS)) == {"/healthz/digits", "/healthz/letters"}


@pytest.mark.parametrize(("services", "status"), [((), 503), ((DIGITS,), 404)])
def test_any_other_path_is_answered_with_the_paths_there_are(
    services: tuple[ServiceRoutes, ...], status: int
) -> None:
    last = routes(*services)[-1]

    assert last["match"] == {"prefix": "/"}
    assert last["direct_response"]["status"] == status
    hint = json.loads(last["direct_response"]["body"]["inline_string"])
    assert ("/v2/models/digits/infer" in hint["paths"]) == bool(services)
    assert SERVICE_HEADER in hint["grpc"]
