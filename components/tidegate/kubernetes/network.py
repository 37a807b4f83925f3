"""Network policies: nothing is allowed but the flows named here."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tidegate.cluster.names import (
    GRPC_PORT,
    HTTP_PORT,
    JOB_LABEL,
    MANAGED_BY_LABEL,
    MANAGER,
    METRICS_PORT,
    RUNNER,
    labels,
)
from tidegate.kubernetes.objects import Manifest, manifest
from tidegate.kubernetes.pods import server_labels
from tidegate.spec.cluster_network import ClusterNetwork
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.spec.model_source import ObjectStorage
from tidegate.spec.revision import Revision
from tidegate.spec.serving_on_kubernetes import KubernetesServing

NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"
_HTTPS = 443
NODE_LOCAL_DNS = "169.254.20.10/32"
"""NodeLocal DNSCache listens there on every node."""
IDENTITY_ENDPOINTS = (
    ("169.254.170.23/32", 80),
    ("169.254.169.254/32", 80),
    ("169.254.169.252/32", 988),
)
"""Where a pod gets its cloud identity: EKS Pod Identity; metadata servers; GKE's own."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """Who else takes part. `monitoring_namespace` None: nobody scrapes.

    `evidence_endpoint`: an object storage on a port of its own.
    """

    namespace: str
    gateway: GatewayReference
    monitoring_namespace: str | None
    evidence_endpoint: str | None = None
    cluster: ClusterNetwork = field(default_factory=ClusterNetwork)


def slot_policy(revision: Revision, serving: KubernetesServing, network: Network) -> Manifest:
    """In: the gateway's Envoys, runners, monitoring. Out: DNS, and what loads the models.

    A policy holds for a pod, not for one container: with object storage the server may reach
    port 443 as well as the container that loads.
    """
    ingress = [
        _rule("from", [_envoys(network.gateway)], [HTTP_PORT, GRPC_PORT]),
        _rule("from", [_runners()], [HTTP_PORT, GRPC_PORT, METRICS_PORT]),
    ]
    if network.monitoring_namespace is not None:
        ingress.append(_rule("from", [_namespace(network.monitoring_namespace)], [METRICS_PORT]))
    egress = [_dns(network.cluster), *_storage(serving.model.object_storage)]
    if serving.nodes > 1:
        group = {"podSelector": {"matchLabels": server_labels(revision)}}
        ingress.append({"from": [group]})
        egress.append({"to": [group]})
    return _policy(
        revision.id,
        network.namespace,
        labels(revision.service, revision.id),
        server_labels(revision),
        ingress,
        egress,
    )


def default_deny(namespace: str) -> Manifest:
    """For every pod of ours; pods of others in the namespace are none of our business."""
    own = {MANAGED_BY_LABEL: MANAGER}
    return _policy("tidegate-default-deny", namespace, labels(), own, [], [])


def runner_policy(network: Network) -> Manifest:
    """Out: servers of the namespace, the gateway's Envoys, the API server, evidence, DNS."""
    egress = [
        _dns(network.cluster),
        {"to": [{"podSelector": {}}]},
        {"to": [_envoys(network.gateway)]},
        {"ports": [_port(each) for each in network.cluster.api_server_ports]},
        *_identity(),
    ]
    if network.evidence_endpoint is not None:
        egress.append(_storage_ports(network.evidence_endpoint))
    return manifest(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        RUNNER,
        network.namespace,
        labels(),
        spec={
            "podSelector": {"matchExpressions": [{"key": JOB_LABEL, "operator": "Exists"}]},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [],
            "egress": egress,
        },
    )


def _policy(
    name: str,
    namespace: str,
    own_labels: dict[str, str],
    pods: dict[str, str],
    ingress: list[dict[str, Any]],
    egress: list[dict[str, Any]],
) -> Manifest:
    return manifest(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        name,
        namespace,
        own_labels,
        spec={
            "podSelector": {"matchLabels": pods},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": egress,
        },
    )


def _envoys(gateway: GatewayReference) -> dict[str, Any]:
    owner = "gateway.envoyproxy.io/owning-gateway"
    found = {f"{owner}-name": gateway.name, f"{owner}-namespace": gateway.namespace}
    return {**_namespace(gateway.proxy_namespace), "podSelector": {"matchLabels": found}}


def _runners() -> dict[str, Any]:
    return {"podSelector": {"matchExpressions": [{"key": JOB_LABEL, "operator": "Exists"}]}}


def _namespace(name: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {NAMESPACE_NAME_LABEL: name}}}


def _dns(cluster: ClusterNetwork) -> dict[str, Any]:
    return {
        "to": [_namespace(cluster.dns_namespace), {"ipBlock": {"cidr": NODE_LOCAL_DNS}}],
        "ports": [
            _port(each, protocol) for each in cluster.dns_ports for protocol in ("UDP", "TCP")
        ],
    }


def _storage(storage: ObjectStorage | None) -> list[dict[str, Any]]:
    if storage is None:
        return []
    return [_storage_ports(storage.endpoint), *_identity()]


def _storage_ports(endpoint: str | None) -> dict[str, Any]:
    parts = urlsplit(endpoint or "https://")
    port = parts.port or (80 if parts.scheme == "http" else _HTTPS)
    return {"ports": [_port(each) for each in sorted({_HTTPS, port})]}


def _identity() -> list[dict[str, Any]]:
    return [
        {"to": [{"ipBlock": {"cidr": cidr}}], "ports": [_port(port)]}
        for cidr, port in IDENTITY_ENDPOINTS
    ]


def _rule(side: str, peers: list[dict[str, Any]], ports: list[int]) -> dict[str, Any]:
    return {side: peers, "ports": [_port(each) for each in ports]}


def _port(number: int, protocol: str = "TCP") -> dict[str, Any]:
    return {"protocol": protocol, "port": number}
