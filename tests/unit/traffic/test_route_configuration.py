import json
from typing import Any

import pytest

from tidegate.traffic.envoy.route_configuration import GRPC_PATHS, route_configuration
from tidegate.traffic.routes import REVISION_HEADER, SERVICE_HEADER, ServiceRoutes

pytestmark = pytest.mark.unit

DIGITS = ServiceRoutes("digits", ("digits", "scaler"), {"digits-1-a": 100, "digits-2-b": 0}, 30)
LETTERS = ServiceRoutes("letters", ("letters",), {"letters-1-c": 100}, 1234567.5)


def routes(*services: ServiceRoutes) -> list[Any]:
    (host,) = route_configuration(services)["virtual_hosts"]
    assert host["domains"] == ["*"]
    return list(host["routes"])


def http_route(model: str, *services: ServiceRoutes) -> Any:
    (found,) = (
        each
        for each in routes(*services)
        if each["match"].get("path_separated_prefix") == f"/v2/models/{model}"
    )
    return found["route"]


def grpc_routes(*services: ServiceRoutes) -> list[Any]:
    return [each for each in routes(*services) if each["match"].get("prefix") == GRPC_PATHS]


def weights(route: Any) -> dict[str, int]:
    return {each["name"]: each["weight"] for each in route["weighted_clusters"]["clusters"]}


def exact_paths(*services: ServiceRoutes) -> dict[str, Any]:
    return {each["match"]["path"]: each for each in routes(*services) if "path" in each["match"]}


def test_routes_to_clusters_that_do_not_exist_are_refused_by_envoy() -> None:
    assert route_configuration([DIGITS])["validate_clusters"] is True


@pytest.mark.parametrize("model", ["digits", "scaler"])
def test_every_model_has_a_route_in_which_the_standby_keeps_weight_0(model: str) -> None:
    assert weights(http_route(model, DIGITS)) == {"digits-1-a-http": 100, "digits-2-b-http": 0}


def test_every_answer_carries_the_revision_it_came_from() -> None:
    clusters = [
        cluster
        for route in (
            http_route("digits", DIGITS),
            *(each["route"] for each in grpc_routes(DIGITS)),
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


def test_grpc_streams_have_no_limit() -> None:
    assert {each["route"]["timeout"] for each in grpc_routes(DIGITS)} == {"0s"}


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
    paths = exact_paths(DIGITS)

    assert set(paths) == {"/healthz", "/healthz/digits"}
    for route in paths.values():
        assert route["route"]["cluster"] == "digits-1-a-http"
        assert route["route"]["prefix_rewrite"] == "/v2/models/digits/ready"


def test_with_several_services_each_has_a_health_path_of_its_own() -> None:
    assert set(exact_paths(DIGITS, LETTERS)) == {"/healthz/digits", "/healthz/letters"}


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
