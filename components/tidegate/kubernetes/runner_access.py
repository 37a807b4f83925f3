"""What the Jobs of gates and switches may do, and nothing else."""

from collections.abc import Mapping
from typing import Any

from tidegate.cluster.names import RUNNER, STACK_ANNOTATION, labels
from tidegate.kubernetes.objects import Manifest, manifest
from tidegate.spec.kubernetes_gateway import GatewayReference

RBAC = "rbac.authorization.k8s.io"
_READ = ["get", "list", "watch"]
_WRITE = ["create", "update", "patch"]


def runner_access(
    namespace: str,
    gateway: GatewayReference,
    stack: str,
    gate_lease_namespace: str | None = None,
    annotations: Mapping[str, str] | None = None,
) -> tuple[Manifest, ...]:
    """ServiceAccount and Roles of the runner; the account says whose they are.

    It may look at the gateway where that is, and take turns with other namespaces' gates where
    their Leases are. `annotations` of the account name a cloud's identity.
    """
    of = {**(annotations or {}), STACK_ANNOTATION: stack}
    account = manifest("v1", "ServiceAccount", RUNNER, namespace, labels(), of)
    found = [account, *_bound(RUNNER, namespace, namespace, _rules_at_home())]
    for place, rules in sorted(
        _rules_elsewhere(namespace, gateway, gate_lease_namespace or namespace).items()
    ):
        found += _bound(f"{RUNNER}-{namespace}", place, namespace, rules)
    return tuple(found)


def _rules_at_home() -> list[dict[str, Any]]:
    return [
        # Records of gates and switches, and the runs' requests and results.
        _rule("", ["configmaps"], [*_READ, *_WRITE, "delete"]),
        # The engine's interest in a run, and the right to load a pool of accelerators.
        _rule("coordination.k8s.io", ["leases"], [*_READ, *_WRITE, "delete"]),
        # Addresses of the servers and of the gateway's Envoys.
        _rule("", ["pods", "services"], _READ),
        _rule("discovery.k8s.io", ["endpointslices"], _READ),
        _rule(
            "gateway.networking.k8s.io",
            ["httproutes", "grpcroutes"],
            [*_READ, *_WRITE, "delete"],
        ),
        _rule(
            "gateway.envoyproxy.io",
            ["backendtrafficpolicies", "httproutefilters"],
            [*_READ, *_WRITE, "delete"],
        ),
        _rule("gateway.networking.k8s.io", ["gateways"], ["get"]),
    ]


def _rules_elsewhere(
    namespace: str, gateway: GatewayReference, gate_lease_namespace: str
) -> dict[str, list[dict[str, Any]]]:
    rules: dict[str, list[dict[str, Any]]] = {}
    if gateway.proxy_namespace != namespace:
        rules.setdefault(gateway.proxy_namespace, []).append(_rule("", ["pods"], _READ))
    if gateway.namespace != namespace:
        read = _rule("gateway.networking.k8s.io", ["gateways"], ["get"])
        rules.setdefault(gateway.namespace, []).append(read)
    if gate_lease_namespace != namespace:
        take = _rule("coordination.k8s.io", ["leases"], ["get", "create", "update"])
        rules.setdefault(gate_lease_namespace, []).append(take)
    return rules


def _bound(
    name: str, namespace: str, account_namespace: str, rules: list[dict[str, Any]]
) -> tuple[Manifest, Manifest]:
    version = f"{RBAC}/v1"
    return (
        manifest(version, "Role", name, namespace, labels(), rules=rules),
        manifest(
            version,
            "RoleBinding",
            name,
            namespace,
            labels(),
            roleRef={"apiGroup": RBAC, "kind": "Role", "name": name},
            subjects=[{"kind": "ServiceAccount", "name": RUNNER, "namespace": account_namespace}],
        ),
    )


def _rule(group: str, resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}
