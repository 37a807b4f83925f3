"""Objects of a Gateway of Envoy Gateway, as plain manifests."""

import json
from typing import Any

from tidegate.cluster.names import labels
from tidegate.kubernetes.objects import Manifest, manifest
from tidegate.spec.kubernetes_gateway import GatewayReference, NewGateway

CONTROLLER = "gateway.envoyproxy.io/gatewayclass-controller"
GATEWAY_API = "gateway.networking.k8s.io/v1"
ENVOY_GATEWAY_API = "gateway.envoyproxy.io/v1alpha1"
HTTP_LISTENER = "http"
HTTPS_LISTENER = "https"

DRAIN = "60s"
STREAMS_PER_CONNECTION = 1000
CONNECT_TIMEOUT = "1s"
NO_LIMIT = 100_000
"""Envoy's own 1024 fails bursts; what a server can take is the server's own to say."""
FINEST_BUCKET_MS, COARSEST_BUCKET_MS = 1, 60_000
BUCKET_GROWTH = 1.1
"""A quantile is known to a tenth of itself, which is what a regression limit needs."""


def reference(gateway: NewGateway, namespace: str) -> GatewayReference:
    """How routes and runners name the Gateway: by its one encrypted listener, if it has one."""
    section = HTTPS_LISTENER if gateway.https is not None else HTTP_LISTENER
    return GatewayReference(
        namespace=namespace,
        name=gateway.name,
        http_section=section,
        grpc_section=section,
        proxy_namespace=gateway.proxy_namespace,
    )


def certificates_of_listeners(gateway: NewGateway) -> dict[str, tuple[str, ...]]:
    """Every listener, and the Secrets that it takes certificates from."""
    found: dict[str, tuple[str, ...]] = {}
    if gateway.http_port is not None:
        found[HTTP_LISTENER] = ()
    if gateway.https is not None:
        found[HTTPS_LISTENER] = gateway.https.certificates
    return found


def gateway_class_name(gateway: NewGateway, namespace: str) -> str:
    """A class belongs to the whole cluster, so the name says whose it is."""
    return gateway.gateway_class or f"{namespace}-{gateway.name}"


def gateway_objects(gateway: NewGateway, namespace: str) -> tuple[Manifest, ...]:
    """In the order in which they have to be made."""
    class_name = gateway_class_name(gateway, namespace)
    found = [
        _envoy_proxy(gateway, namespace),
        _gateway(gateway, namespace, class_name),
        _client_traffic_policy(gateway, namespace),
        _backend_traffic_policy(gateway, namespace),
    ]
    if gateway.gateway_class is None:
        found.insert(0, _gateway_class(class_name))
    return tuple(found)


def latency_buckets() -> list[int]:
    """Upper ends in milliseconds, about a tenth apart, whole numbers."""
    ends, end = [], FINEST_BUCKET_MS
    while end < COARSEST_BUCKET_MS:
        ends.append(end)
        end = max(int(end * BUCKET_GROWTH), end + 1)
    return [*ends, COARSEST_BUCKET_MS]


def bootstrap_patch() -> dict[str, Any]:
    """What is merged into Envoy's bootstrap: fine latencies, and counters that are fresh.

    A switch is judged every second, and Envoy sums histograms up when it flushes them.
    """
    settings = {"match": {"suffix": "upstream_rq_time"}, "buckets": latency_buckets()}
    # Envoy counts every request a second time by where it came from.
    twice = [{"contains": f".{origin}.upstream_rq_"} for origin in ("external", "internal")]
    return {
        "stats_flush_interval": "1s",
        "stats_config": {
            "histogram_bucket_settings": [settings],
            "stats_matcher": {"exclusion_list": {"patterns": twice}},
        },
    }


def _gateway_class(name: str) -> Manifest:
    return manifest(
        GATEWAY_API, "GatewayClass", name, None, labels(), spec={"controllerName": CONTROLLER}
    )


def _envoy_proxy(gateway: NewGateway, namespace: str) -> Manifest:
    owner = "gateway.envoyproxy.io/owning-gateway"
    pods = {f"{owner}-name": gateway.name, f"{owner}-namespace": namespace}
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": pods},
    }
    kubernetes: dict[str, Any] = {
        "envoyService": {"type": gateway.service_type},
        "envoyDeployment": {
            "replicas": gateway.replicas,
            "pod": {"topologySpreadConstraints": [spread]},
        },
    }
    if gateway.replicas > 1:
        kubernetes["envoyPDB"] = {"minAvailable": gateway.replicas - 1}
    return manifest(
        ENVOY_GATEWAY_API,
        "EnvoyProxy",
        gateway.name,
        namespace,
        labels(),
        spec={
            "provider": {"type": "Kubernetes", "kubernetes": kubernetes},
            # Each revision's Service is a cluster of its own, which the pinned rules keep alive.
            "mergeBackends": {},
            "shutdown": {"drainTimeout": DRAIN},
            "telemetry": {"metrics": {"prometheus": {"disable": False}}},
            "bootstrap": {"type": "Merge", "value": json.dumps(bootstrap_patch())},
            **({"ipFamily": gateway.ip_family} if gateway.ip_family is not None else {}),
        },
    )


def _gateway(gateway: NewGateway, namespace: str, class_name: str) -> Manifest:
    listeners = []
    allowed = {"namespaces": {"from": "Same"}}
    if gateway.http_port is not None:
        listeners.append(
            {
                "name": HTTP_LISTENER,
                "protocol": "HTTP",
                "port": gateway.http_port,
                "allowedRoutes": allowed,
            }
        )
    if gateway.https is not None:
        secrets = [_certificate(each) for each in gateway.https.certificates]
        listeners.append(
            {
                "name": HTTPS_LISTENER,
                "protocol": "HTTPS",
                "port": gateway.https.port,
                "tls": {"mode": "Terminate", "certificateRefs": secrets},
                "allowedRoutes": allowed,
            }
        )
    parameters = {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": gateway.name}
    return manifest(
        GATEWAY_API,
        "Gateway",
        gateway.name,
        namespace,
        labels(),
        spec={
            "gatewayClassName": class_name,
            "infrastructure": {"parametersRef": parameters},
            "listeners": listeners,
        },
    )


def _certificate(place: str) -> dict[str, str]:
    """ "security/tls" or "tls" as a listener refers to it."""
    namespace, _, name = place.rpartition("/")
    found = {"kind": "Secret", "name": name}
    return {**found, "namespace": namespace} if namespace else found


def _client_traffic_policy(gateway: NewGateway, namespace: str) -> Manifest:
    return manifest(
        ENVOY_GATEWAY_API,
        "ClientTrafficPolicy",
        gateway.name,
        namespace,
        labels(),
        spec={
            "targetRefs": [_target(gateway)],
            "http2": {
                "maxConcurrentStreams": STREAMS_PER_CONNECTION,
                # A caller's broken message ends its stream, not those of others.
                "onInvalidMessage": "TerminateStream",
            },
            "headers": {
                # Answers carry x-envoy-upstream-service-time, as on one machine.
                "enableEnvoyHeaders": True,
                "requestID": "PreserveOrGenerate",
                # Callers could otherwise ask for retries and other limits than the service's.
                "earlyRequestHeaders": {"removeOnMatch": [{"type": "Prefix", "value": "x-envoy-"}]},
            },
        },
    )


def _backend_traffic_policy(gateway: NewGateway, namespace: str) -> Manifest:
    """Every setting of Envoy's clusters.

    It has to be the Gateway's: with one at a route, rules would no longer share a revision's
    cluster, and a weight that becomes 0 would take its cluster away under requests in flight.
    """
    return manifest(
        ENVOY_GATEWAY_API,
        "BackendTrafficPolicy",
        gateway.name,
        namespace,
        labels(),
        spec={
            "targetRefs": [_target(gateway)],
            # A GRPCRoute cannot say it, and Envoy's 15 s would cut streams. HTTPRoutes do say it.
            "timeout": {
                "http": {"requestTimeout": "0s"},
                "tcp": {"connectTimeout": CONNECT_TIMEOUT},
            },
            # No request to a server that is known not to be ready.
            "healthCheck": {"panicThreshold": 0},
            "circuitBreaker": {
                "maxConnections": NO_LIMIT,
                "maxPendingRequests": NO_LIMIT,
                "maxParallelRequests": NO_LIMIT,
            },
        },
    )


def _target(gateway: NewGateway) -> dict[str, str]:
    return {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": gateway.name}
