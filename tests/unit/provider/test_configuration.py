from typing import Any

import pytest

from tidegate.provider.configuration import ProviderConfiguration
from tidegate.provider.resources import make_handlers
from tidegate.provider.validation import explain
from tidegate.provider.values import UNKNOWN

pytestmark = pytest.mark.unit

EMBEDDED = {"stateFolder": "/state", "environment": "local", "stackFile": "stacks/Pulumi.x.yaml"}
CLUSTER: dict[str, Any] = {
    "kubeconfig": "apiVersion: v1\n",
    "namespace": "team-a",
    "gateway": {"namespace": "team-a", "name": "tidegate"},
    "runnerImage": "registry.test/tidegate/runner:1",
    "environment": "prod",
    "evidence": "s3://evidence",
    "stackFile": "stacks/Pulumi.x.yaml",
}


def reasons(values: dict[str, Any]) -> list[str]:
    return [f"{each.property}: {each.reason}" for each in explain(ProviderConfiguration, values)[0]]


def test_either_platform_can_be_configured_and_the_engine_adds_keys() -> None:
    embedded = ProviderConfiguration.model_validate({**EMBEDDED, "version": "1.0"})
    cluster = ProviderConfiguration.model_validate({"kubernetes": CLUSTER, "version": "1.0"})

    assert embedded.embedded is not None
    assert embedded.embedded.state_folder == "/state"
    assert cluster.embedded is None
    assert cluster.kubernetes is not None
    assert cluster.kubernetes.gateway.name == "tidegate"


def test_both_platforms_or_none_are_refused() -> None:
    (both,) = reasons({**EMBEDDED, "kubernetes": CLUSTER})
    (none,) = reasons({"environment": "local"})

    assert "exclude each other" in both
    assert "stateFolder, stackFile missing" in none


def test_a_cluster_that_does_not_exist_yet_is_no_error() -> None:
    assert reasons({"kubernetes": {**CLUSTER, "kubeconfig": UNKNOWN}}) == []
    assert reasons({"kubernetes": UNKNOWN}) == []


def test_evidence_that_would_go_with_a_pod_is_refused() -> None:
    (reason,) = reasons({"kubernetes": {**CLUSTER, "evidence": "evidence"}})

    assert reason.startswith("kubernetes.evidence: ")
    assert "an absolute folder" in reason


def test_a_kubeconfig_is_never_shown() -> None:
    secret = ProviderConfiguration.model_validate({"kubernetes": CLUSTER})

    assert "apiVersion" not in repr(secret)


def test_a_platform_serves_its_own_resources_and_those_that_both_have() -> None:
    both = {"LoadTestGate", "TrafficSwitch", "TrafficHold"}
    embedded = make_handlers(ProviderConfiguration.model_validate(EMBEDDED))
    cluster = make_handlers(ProviderConfiguration.model_validate({"kubernetes": CLUSTER}))

    assert {each.type_name for each in embedded} == {*both, "Gateway", "TritonServer"}
    assert {each.type_name for each in cluster} == {
        *both,
        "NamespaceClaim",
        "GatewayReadiness",
        "SlotRemoval",
        "SlotReadiness",
        "SlotRoom",
        "ColdStandby",
    }
