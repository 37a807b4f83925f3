"""The Gateway that users' requests come through."""

import json
from itertools import pairwise
from typing import Any

import pytest

from tidegate.kubernetes.gateway_objects import (
    bootstrap_patch,
    gateway_objects,
    latency_buckets,
    reference,
)
from tidegate.spec.kubernetes_gateway import Https, NewGateway

pytestmark = pytest.mark.unit

HTTPS = Https(certificates=("inference-tls",))


def kinds(**changes: Any) -> dict[str, Any]:
    found = gateway_objects(NewGateway(**changes), "inference")
    return {each["kind"]: each for each in found}


def test_settings_are_there_before_the_gateway_that_needs_them() -> None:
    assert list(kinds()) == [
        "GatewayClass",
        "EnvoyProxy",
        "Gateway",
        "ClientTrafficPolicy",
        "BackendTrafficPolicy",
    ]


def test_an_existing_class_is_used_and_not_made() -> None:
    found = kinds(gateway_class="eg")

    assert "GatewayClass" not in found
    assert found["Gateway"]["spec"]["gatewayClassName"] == "eg"


def test_a_class_belongs_to_one_namespace_of_the_cluster() -> None:
    assert kinds()["GatewayClass"]["metadata"]["name"] == "inference-tidegate"
    assert "namespace" not in kinds()["GatewayClass"]["metadata"]


def test_only_routes_of_the_platforms_namespace_are_let_in() -> None:
    for listener in kinds(https=HTTPS)["Gateway"]["spec"]["listeners"]:
        assert listener["allowedRoutes"] == {"namespaces": {"from": "Same"}}


def test_certificates_are_named_and_not_held() -> None:
    found = kinds(https=HTTPS, http_port=None)["Gateway"]["spec"]["listeners"]

    assert [each["name"] for each in found] == ["https"]
    assert found[0]["tls"]["certificateRefs"] == [{"kind": "Secret", "name": "inference-tls"}]


def test_a_certificate_may_be_in_another_namespace() -> None:
    elsewhere = Https(certificates=("security/edge-tls",))

    found = kinds(https=elsewhere)["Gateway"]["spec"]["listeners"][-1]

    assert found["tls"]["certificateRefs"] == [
        {"kind": "Secret", "namespace": "security", "name": "edge-tls"}
    ]


@pytest.mark.parametrize("certificate", ["", "/tls", "a/b/c", "Tls", "security/"])
def test_a_certificate_that_names_no_secret_is_refused(certificate: str) -> None:
    with pytest.raises(ValueError, match="write the name of a Secret, or namespace/name"):
        Https(certificates=(certificate,))


def test_routes_attach_to_the_encrypted_listener_if_there_is_one() -> None:
    assert reference(NewGateway(), "inference").http_section == "http"
    assert reference(NewGateway(https=HTTPS), "inference").grpc_section == "https"


def test_every_revision_is_a_cluster_of_its_own() -> None:
    assert kinds()["EnvoyProxy"]["spec"]["mergeBackends"] == {}


def test_settings_of_clusters_are_the_gateways_so_that_rules_share_a_revisions_cluster() -> None:
    spec = kinds()["BackendTrafficPolicy"]["spec"]

    assert [each["kind"] for each in spec["targetRefs"]] == ["Gateway"]
    assert spec["timeout"]["http"]["requestTimeout"] == "0s"  # streams
    assert spec["healthCheck"] == {"panicThreshold": 0}


def test_envoys_drain_and_one_of_several_always_stays() -> None:
    spec = kinds(replicas=3)["EnvoyProxy"]["spec"]

    assert spec["shutdown"]["drainTimeout"] == "60s"
    assert spec["provider"]["kubernetes"]["envoyPDB"] == {"minAvailable": 2}
    assert "envoyPDB" not in kinds(replicas=1)["EnvoyProxy"]["spec"]["provider"]["kubernetes"]


def test_latency_buckets_are_a_tenth_wide_from_a_millisecond_to_a_minute() -> None:
    ends = latency_buckets()

    assert (ends[0], ends[-1]) == (1, 60_000)
    for lower, upper in pairwise(ends):
        assert upper - lower == 1 or upper <= lower * 1.11
    assert len(ends) < 150  # Envoy keeps each of them for every cluster


def test_the_bootstraps_patch_is_what_envoy_merges() -> None:
    bootstrap = kinds()["EnvoyProxy"]["spec"]["bootstrap"]

    assert bootstrap["type"] == "Merge"
    assert json.loads(bootstrap["value"]) == bootstrap_patch()
    assert bootstrap_patch()["stats_flush_interval"] == "1s"


def test_the_family_of_addresses_is_envoy_gateways_own_unless_one_is_named() -> None:
    assert "ipFamily" not in kinds()["EnvoyProxy"]["spec"]
    assert kinds(ip_family="DualStack")["EnvoyProxy"]["spec"]["ipFamily"] == "DualStack"


@pytest.mark.parametrize(
    ("changes", "mend"),
    [
        ({"http_port": None}, "write httpPort, https or both"),
        ({"http_port": 443, "https": HTTPS}, "two different ports"),
    ],
)
def test_a_gateway_that_cannot_listen_is_refused(changes: dict[str, Any], mend: str) -> None:
    with pytest.raises(ValueError, match=mend):
        NewGateway(**changes)
