"""Routes on the Gateway API, as Envoy Gateway reads them."""

import random
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest

from tests.unit.traffic.gateway_api.envoy_gateway import rule_for
from tidegate.cluster.kinds import BACKEND_TRAFFIC_POLICY, GRPC_ROUTE, HTTP_ROUTE
from tidegate.spec.errors import SpecError
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.spec.traffic import Affinity
from tidegate.traffic.gateway_api.desired import DesiredRoutes
from tidegate.traffic.gateway_api.drift import is_as_rendered, without_additions
from tidegate.traffic.gateway_api.durations import duration
from tidegate.traffic.gateway_api.objects import render, written
from tidegate.traffic.gateway_api.rules import grpc_rules, http_rules
from tidegate.traffic.routes import REVISION_HEADER, SERVICE_HEADER, ServiceRoutes

pytestmark = pytest.mark.unit

GATEWAY = GatewayReference(namespace="edge", name="tidegate", http_section="http")
INFER = "/v2/models/{}/infer"
STREAM = "/v2/models/{}/generate_stream"
GRPC_INFER = "/inference.GRPCInferenceService/ModelInfer"
GRPC_STREAM = "/inference.GRPCInferenceService/ModelStreamInfer"
GRPC_PATHS = (GRPC_INFER, GRPC_STREAM)
REVISIONS = [f"digits-{number}-{number:08x}" for number in range(1, 5)]
AFFINITIES = [None, Affinity(cookie="digits-session"), Affinity(header="x-digits-session")]


def some_routes(chosen: random.Random) -> ServiceRoutes:
    revisions = chosen.sample(REVISIONS, chosen.randint(1, 3))
    weight = chosen.choice([100, 100, 95, 50, 1])
    weights = {revisions[0]: weight}
    if len(revisions) > 1:
        weights[revisions[1]] = 100 - weight
    elif weight < 100:
        weights[revisions[0]] = 100
    affinity = chosen.choice(AFFINITIES)
    return ServiceRoutes(
        service="digits",
        models=tuple(chosen.sample(["digits", "digits-wide", "letters"], chosen.randint(1, 3))),
        weights=weights,
        request_timeout_seconds=chosen.choice([0.25, 30, 90.5, 600]),
        max_stream_seconds=chosen.choice([None, 45.0]),
        retries=chosen.randint(0, 2),
        affinity=affinity,
        finishing=(revisions[2],) if affinity and len(revisions) == 3 else (),
        hostnames=chosen.choice([(), ("digits.example.org",)]),
    )


@pytest.fixture(params=range(60))
def desired(request: pytest.FixtureRequest) -> DesiredRoutes:
    chosen = random.Random(request.param)  # noqa: S311 - a seeded example
    return DesiredRoutes(some_routes(chosen), tuple(chosen.sample(REVISIONS, 1)))


def backends(rule: Mapping[str, Any] | None) -> dict[str, int]:
    assert rule is not None, "no rule matches"
    return {each["name"]: each["weight"] for each in rule.get("backendRefs", ())}


def requests(desired: DesiredRoutes) -> list[tuple[list[Any], str, dict[str, str]]]:
    """Rules, path and headers of users' requests over every protocol and of every model."""
    http, grpc = http_rules(desired), grpc_rules(desired)
    of_service = {SERVICE_HEADER: desired.routes.service}
    found: list[tuple[list[Any], str, dict[str, str]]] = [
        (http, path.format(model), {})
        for model in desired.routes.models
        for path in (INFER, STREAM)
    ]
    return [*found, (grpc, GRPC_INFER, of_service), (grpc, GRPC_STREAM, of_service)]


def session(affinity: Affinity, revision: str) -> dict[str, str]:
    value = f"service/team-a/{revision}/8000/http"
    if affinity.cookie is None:
        return {str(affinity.header): value}
    return {"cookie": f"theme=dark; {affinity.cookie}={value}; lang=en"}


def every_session(desired: DesiredRoutes) -> list[dict[str, str]]:
    affinity = desired.routes.affinity
    return [{}, *(session(affinity, each) for each in REVISIONS)] if affinity else [{}]


def test_objects_say_what_they_were_made_from(desired: DesiredRoutes) -> None:
    objects = dict(render(desired, GATEWAY))

    for kind in (HTTP_ROUTE, GRPC_ROUTE):
        assert written(objects[kind]) == desired
    assert DesiredRoutes.parse(desired.annotation).version == desired.version


def test_a_pinned_request_goes_to_its_revision_and_nowhere_else(desired: DesiredRoutes) -> None:
    for rules, path, headers in requests(desired):
        for revision in desired.pinned:
            for more in every_session(desired):
                named = {**headers, **more, REVISION_HEADER: revision}
                assert backends(rule_for(rules, path, named)) == {revision: 1}


def test_a_request_for_an_unknown_revision_reaches_no_server(desired: DesiredRoutes) -> None:
    for rules, path, headers in requests(desired):
        for more in every_session(desired):
            named = {**headers, **more, REVISION_HEADER: "digits-9-ffffffff"}
            assert backends(rule_for(rules, path, named)) == {}


def test_users_are_spread_by_weight(desired: DesiredRoutes) -> None:
    for rules, path, headers in requests(desired):
        assert backends(rule_for(rules, path, headers)) == dict(desired.routes.weights)


def test_a_session_stays_while_its_revision_keeps_it(desired: DesiredRoutes) -> None:
    affinity = desired.routes.affinity
    for rules, path, headers in requests(desired):
        for revision in REVISIONS if affinity is not None else ():
            assert affinity is not None
            found = backends(rule_for(rules, path, {**headers, **session(affinity, revision)}))
            kept = desired.routes.keeps_sessions(revision)
            assert found == ({revision: 1} if kept else dict(desired.routes.weights))


def test_no_backend_has_a_filter_and_every_weighted_one_is_pinned(desired: DesiredRoutes) -> None:
    """Otherwise Envoy Gateway gives each rule clusters of its own, which come and go with it."""
    for rules in (http_rules(desired), grpc_rules(desired)):
        refs = [each for rule in rules for each in rule.get("backendRefs", ())]
        pinned = {
            ref["name"]
            for rule in rules
            if "-pinned-" in rule["name"]
            for ref in rule.get("backendRefs", ())
        }
        assert not any("filters" in ref for ref in refs)
        assert {ref["name"] for ref in refs} <= pinned


def test_a_call_of_another_service_is_not_taken(desired: DesiredRoutes) -> None:
    rules = grpc_rules(desired)
    if not desired.routes.hostnames:
        assert rule_for(rules, GRPC_INFER, {SERVICE_HEADER: "letters"}) is None
    assert rule_for(http_rules(desired), "/v2/models/digitsy/infer", {}) is None


def test_an_edited_object_is_recognised_and_defaults_are_not(desired: DesiredRoutes) -> None:
    rendered = dict(render(desired, GATEWAY))[HTTP_ROUTE]
    spec, rules = rendered["spec"], rendered["spec"]["rules"]
    annotations = {**rendered["metadata"]["annotations"], "somebody.test/note": "mine"}
    defaulted = {
        "metadata": {**rendered["metadata"], "annotations": annotations, "managedFields": [{}]},
        "spec": {**spec, "rules": [{**each, "extra": "default"} for each in rules], "empty": []},
        "status": {"parents": []},
    }
    fewer, more = rules[:-1], [*rules[:-1], {**rules[-1], "retry": {"attempts": 3}}]

    assert is_as_rendered(defaulted, rendered)
    assert not is_as_rendered({**rendered, "spec": {**spec, "rules": fewer}}, rendered)
    assert not is_as_rendered({**rendered, "spec": {**spec, "rules": more}}, rendered)


def test_what_somebody_added_is_recognised_and_removed() -> None:
    desired = DesiredRoutes(ServiceRoutes("digits", ("digits",), {"digits-1-a": 100}, 30), ())
    objects = render(desired, GATEWAY)
    route = dict(objects)[HTTP_ROUTE]
    policy = next(each for kind, each in objects if kind == BACKEND_TRAFFIC_POLICY)
    hosts = deepcopy(route)
    hosts["spec"]["hostnames"] = ["elsewhere.test"]
    own_clusters = deepcopy(policy)
    own_clusters["spec"]["loadBalancer"] = {"type": "Random"}
    own_clusters["spec"]["retry"]["perRetry"]["more"] = {"timeout": "1s"}

    assert not is_as_rendered(hosts, route) and not is_as_rendered(own_clusters, policy)
    assert without_additions(hosts, route) == {"spec": {"hostnames": None}}
    inner = {"retry": {"perRetry": {"more": None}}}
    assert without_additions(own_clusters, policy) == {"spec": {"loadBalancer": None, **inner}}
    assert [without_additions(each, each) for each in (route, policy)] == [None, None]


def test_calls_are_limited_and_streams_are_not() -> None:
    routes = ServiceRoutes("digits", ("digits",), {"digits-1-a": 100}, 30, retries=2)
    objects = render(DesiredRoutes(routes, ()), GATEWAY)
    policies = [each["spec"] for kind, each in objects if kind == BACKEND_TRAFFIC_POLICY]
    tries = {
        (target["kind"], target["sectionName"]): each["retry"]
        for each in policies
        for target in each["targetRefs"]
    }
    http, grpc = http_rules(DesiredRoutes(routes, ())), grpc_rules(DesiredRoutes(routes, ()))

    call, stream = (rule_for(grpc, path, {SERVICE_HEADER: "digits"}) for path in GRPC_PATHS)
    assert call is not None and stream is not None
    assert tries["GRPCRoute", call["name"]]["perRetry"]["timeout"] == "30s"
    assert "timeout" not in tries["GRPCRoute", stream["name"]]["perRetry"]
    event_stream = rule_for(http, STREAM.format("digits"), {})
    assert event_stream is not None and event_stream["timeouts"] == {"request": "0s"}
    assert {each["numRetries"] for each in tries.values()} == {2}


def test_a_policy_of_a_route_sets_nothing_of_clusters(desired: DesiredRoutes) -> None:
    """With such a setting Envoy Gateway gives the rule clusters of its own."""
    objects = render(desired, GATEWAY)

    for spec in (each["spec"] for kind, each in objects if kind == BACKEND_TRAFFIC_POLICY):
        assert set(spec) == {"targetRefs", "mergeType", "retry"}


def test_the_version_tells_any_two_routes_apart() -> None:
    chosen = random.Random(1)  # noqa: S311 - a seeded example
    made = {DesiredRoutes(some_routes(chosen), ()).annotation: None for _ in range(100)}
    versions = {DesiredRoutes.parse(each).version for each in made}

    assert len(versions) == len(made)


def test_retired_revisions_stay_pinned_until_they_are_released() -> None:
    routes = ServiceRoutes("digits", ("digits",), {"digits-2-b": 100}, 30)
    desired = DesiredRoutes(routes, ("digits-1-a",))

    assert desired.pinned == ("digits-1-a", "digits-2-b")
    assert desired.without_retired().pinned == ("digits-2-b",)


def test_more_models_than_a_route_can_hold_are_bad_input() -> None:
    models = tuple(f"model-{number}" for number in range(200))
    desired = DesiredRoutes(ServiceRoutes("digits", models, {"digits-1-a": 100}, 30), ())

    with pytest.raises(SpecError, match="several services"):
        render(desired, GATEWAY)


@pytest.mark.parametrize(
    ("seconds", "written_as"),
    [
        (30, "30s"),
        (0.25, "250ms"),
        (90.5, "1m30s500ms"),
        (600, "10m"),
        (86400, "24h"),
        (1e-6, "1ms"),
    ],
)
def test_durations(seconds: float, written_as: str) -> None:
    assert duration(seconds) == written_as
