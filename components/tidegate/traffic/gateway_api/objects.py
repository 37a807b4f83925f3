"""The Kubernetes objects of a service's routes, as plain data, and back."""

from collections.abc import Iterable, Sequence
from typing import Any

from tidegate.cluster.client import Object
from tidegate.cluster.kinds import (
    BACKEND_TRAFFIC_POLICY,
    GRPC_ROUTE,
    HTTP_ROUTE,
    HTTP_ROUTE_FILTER,
    Kind,
)
from tidegate.cluster.names import ROUTES_ANNOTATION, labels
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.traffic.gateway_api.desired import DesiredRoutes
from tidegate.traffic.gateway_api.durations import duration
from tidegate.traffic.gateway_api.limits import check_size
from tidegate.traffic.gateway_api.rules import (
    Rule,
    grpc_rules,
    http_rules,
    is_of_streams,
    users_rules,
)

RETRY_ON = ["connect-failure", "refused-stream", "reset-before-request"]
"""Only what never reached a server: repeating anything else could infer twice."""
_REPEATING = {"backOff": {"baseInterval": "25ms", "maxInterval": "250ms"}}
KINDS = (HTTP_ROUTE, GRPC_ROUTE)
OWNED = (*KINDS, BACKEND_TRAFFIC_POLICY, HTTP_ROUTE_FILTER)
"""Every kind of object that a service's routes consist of; see `owned`."""


def owned(service: str) -> list[tuple[Kind, str]]:
    """Kind and name of every object that a service's routes consist of."""
    return [*((kind, service) for kind in OWNED), (BACKEND_TRAFFIC_POLICY, _of_calls(service))]


def render(desired: DesiredRoutes, gateway: GatewayReference) -> list[tuple[Kind, Object]]:
    """Every object with its kind. Raises SpecError for more than a route can hold."""
    http, grpc = http_rules(desired), grpc_rules(desired)
    check_size(desired, http)
    check_size(desired, grpc)
    return [
        (HTTP_ROUTE_FILTER, _no_such_revision(desired)),
        (HTTP_ROUTE, _route(desired, gateway, gateway.http_section, http)),
        (GRPC_ROUTE, _route(desired, gateway, gateway.grpc_section, grpc)),
        (BACKEND_TRAFFIC_POLICY, _retries(desired, http, grpc)),
        (BACKEND_TRAFFIC_POLICY, _calls(desired, grpc)),
    ]


def written(route: Object) -> DesiredRoutes | None:
    """What an HTTPRoute or GRPCRoute was made from; None when tidegate did not make it."""
    annotation = (route["metadata"].get("annotations") or {}).get(ROUTES_ANNOTATION)
    if annotation is None:
        return None
    try:
        return DesiredRoutes.parse(annotation)
    except ValueError:
        return None


def _route(
    desired: DesiredRoutes, gateway: GatewayReference, section: str | None, rules: list[Rule]
) -> Object:
    parent = {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "namespace": gateway.namespace,
        "name": gateway.name,
    }
    if section is not None:
        parent["sectionName"] = section
    spec: dict[str, Any] = {"parentRefs": [parent], "rules": rules}
    if desired.routes.hostnames:
        spec["hostnames"] = list(desired.routes.hostnames)
    return {"metadata": _metadata(desired, {ROUTES_ANNOTATION: desired.annotation}), "spec": spec}


def _retries(desired: DesiredRoutes, http: list[Rule], grpc: list[Rule]) -> Object:
    """Retries for users' requests over HTTP and for streams over gRPC."""
    targets = [
        *_targets(desired, HTTP_ROUTE, users_rules(http)),
        *_targets(desired, GRPC_ROUTE, filter(is_of_streams, users_rules(grpc))),
    ]
    return _policy(desired, desired.routes.service, targets, _REPEATING)


def _calls(desired: DesiredRoutes, grpc: list[Rule]) -> Object:
    """Retries for users' unary calls, and the time that one may take.

    A GRPCRoute cannot say it, and `timeout` would be a setting of clusters. The limit of a try
    ends with the first bytes of the answer, which a unary call sends when it has all of them.
    """
    unary = [each for each in users_rules(grpc) if not is_of_streams(each)]
    limit = {"timeout": duration(desired.routes.request_timeout_seconds)}
    targets = _targets(desired, GRPC_ROUTE, unary)
    return _policy(desired, _of_calls(desired.routes.service), targets, {**_REPEATING, **limit})


def _policy(
    desired: DesiredRoutes, name: str, targets: Sequence[Object], each_try: Object
) -> Object:
    """Anything about clusters in it would keep rules from sharing them."""
    retry = {
        "numRetries": desired.routes.retries,
        "retryOn": {"triggers": RETRY_ON},
        "perRetry": each_try,
    }
    spec = {"targetRefs": list(targets), "mergeType": "StrategicMerge", "retry": retry}
    return {"metadata": {**_metadata(desired, {}), "name": name}, "spec": spec}


def _targets(desired: DesiredRoutes, kind: Kind, rules: Iterable[str]) -> list[Object]:
    route = {
        "group": "gateway.networking.k8s.io",
        "kind": kind.name,
        "name": desired.routes.service,
    }
    return [{**route, "sectionName": name} for name in rules]


def _of_calls(service: str) -> str:
    """No service's name has a dot, so it is no other service's."""
    return f"{service}.calls"


def _no_such_revision(desired: DesiredRoutes) -> Object:
    service = desired.routes.service
    said = f'{{"error": "no route of {service} leads to the revision that the request names"}}'
    answer = {
        "statusCode": 404,
        "contentType": "application/json",
        "body": {"type": "Inline", "inline": said},
    }
    return {"metadata": _metadata(desired, {}), "spec": {"directResponse": answer}}


def _metadata(desired: DesiredRoutes, annotations: dict[str, str]) -> dict[str, Any]:
    service = desired.routes.service
    found: dict[str, Any] = {"name": service, "labels": labels(service)}
    return {**found, "annotations": annotations} if annotations else found
