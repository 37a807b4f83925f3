"""A stack that makes its own cluster."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings import Settings, SettingsError, load_settings
from tests.unit.spec.cluster_documents import aws, gcp, pool
from tidegate.spec.cluster_plan import ClusterPlan
from tidegate.spec.network_plan import NetworkPlan
from tidegate.spec.signature import SpecModel
from tidegate.spec.state_plan import StatePlan

pytestmark = pytest.mark.unit

FILE = "stacks/Pulumi.test.yaml"
STACKS = Path(__file__).parents[3] / "stacks"
PLATFORM = {
    "kubernetes": {
        "namespace": "inference",
        "runnerImage": "registry.test/runner@sha256:" + "5" * 64,
        "evidence": "s3://evidence/tidegate",
    }
}
PLAN = aws(pool("g6.12xlarge", name="l4", purpose="inference", nodes={"min": 0, "max": 4}))


def load(**keys: Any) -> Settings:
    return load_settings(
        {f"tidegate:{key}": json.dumps(value) for key, value in keys.items()}, FILE
    )


def findings(**keys: Any) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        load(**keys)
    return raised.value.findings


@pytest.mark.parametrize("stack", ["aws-staging", "aws-prod", "gcp-staging", "gcp-prod"])
def test_the_shipped_stacks_are_in_order(stack: str) -> None:
    settings = shipped(stack)
    assert settings.cluster is not None
    assert settings.platform is None


@pytest.mark.parametrize("stack", ["aws-state", "gcp-state"])
def test_the_shipped_stacks_for_state_are_in_order(stack: str) -> None:
    settings = shipped(stack)
    assert settings.state is not None
    assert settings.state.protect


def shipped(stack: str) -> Settings:
    config = yaml.safe_load((STACKS / f"Pulumi.{stack}.yaml").read_text())["config"]
    own = {key: json.dumps(value) for key, value in config.items() if key.startswith("tidegate:")}
    return load_settings(own, f"stacks/Pulumi.{stack}.yaml")


@pytest.mark.parametrize(
    ("changes", "others", "said"),
    [
        ({"project": "acme"}, {}, "tidegate:state.project: 'acme' cannot work: it is Google"),
        ({"cloud": "gcp"}, {}, "tidegate:state.project: None cannot work"),
        ({}, {"cluster": PLAN}, "tidegate:state: cannot work: what the stack makes beside"),
        ({"name": "a"}, {}, "tidegate:state.name: 'a' cannot work"),
    ],
)
def test_a_bucket_for_state_that_cannot_be_meant(
    changes: dict[str, Any], others: dict[str, Any], said: str
) -> None:
    ownership = {"owner": "platform", "team": "serving", "environment": "shared"}
    state = {"name": "acme-state", "cloud": "aws", "region": "us-east-1", "ownership": ownership}
    (sentence,) = findings(state=state | changes, **others)
    assert sentence.startswith(f"{FILE}: {said}")


@pytest.mark.parametrize("part", [ClusterPlan, NetworkPlan, StatePlan])
def test_every_key_of_a_cluster_is_in_the_guide(part: type[SpecModel]) -> None:
    guide = (STACKS.parent / "docs" / "settings.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `(\w+)[`.]", guide, re.MULTILINE))
    assert {str(each.alias) for each in part.model_fields.values()} <= explained


def test_services_of_the_same_stack_see_the_clusters_pools() -> None:
    settings = load(cluster=PLAN, platform=PLATFORM)
    assert settings.kubernetes is not None
    (found,) = settings.kubernetes.accelerator_pools()
    assert (found.name, found.gpus_per_node, found.nodes_max) == ("l4", 4, 4)
    assert found.node_labels == {"tidegate.dev/pool": "l4"}
    assert {each.key for each in found.tolerations} == {"nvidia.com/gpu", "tidegate.dev/purpose"}


def test_a_pool_that_the_file_names_wins() -> None:
    own = {"l4": {"nodeLabels": {"own": "l4"}, "gpusPerNode": 1}}
    settings = load(cluster=PLAN, platform={"kubernetes": {**PLATFORM["kubernetes"], "pools": own}})
    assert settings.kubernetes is not None
    (found,) = settings.kubernetes.accelerator_pools()
    assert (found.node_labels, found.gpus_per_node) == ({"own": "l4"}, 1)


@pytest.mark.parametrize(("strategy", "host_ipc"), [("timeSlicing", False), ("mps", True)])
def test_services_see_what_pods_on_shared_gpus_must_keep_to(strategy: str, host_ipc: bool) -> None:
    shared = pool("g2-standard-48", sharing={"strategy": strategy, "clients": 2})
    settings = load(cluster=gcp(shared | {"purpose": "inference"}), platform=PLATFORM)
    assert settings.kubernetes is not None
    (found,) = settings.kubernetes.accelerator_pools()
    assert (found.max_gpus_per_pod, found.needs_host_ipc) == (1, host_ipc)


def test_what_the_cloud_would_refuse_is_said_at_the_cluster() -> None:
    broken = aws(pool("g6.xlarge", fabric={"kind": "efa"}))
    (sentence,) = findings(cluster=broken)
    assert sentence.startswith(f"{FILE}: tidegate:cluster.pools.gpus.fabric.kind: 'efa'")


def test_a_misspelt_key_of_the_plan_is_found() -> None:
    (sentence,) = findings(cluster={**PLAN, "zone": ["us-east-2a"]})
    assert sentence.startswith(f"{FILE}: tidegate:cluster.zone: ['us-east-2a'] cannot work")
    assert sentence.endswith("the key is unknown. Instead: 'zones', or leave it out.")


def test_shapes_of_the_plan_are_told_as_plans_tell_them() -> None:
    pool = {"name": "h100", "purpose": "training", "machineType": "p5.48xlarge", "nodes": 0}
    assert findings(cluster={**PLAN, "region": "Ohio", "pools": [pool]}) == [
        f"{FILE}: tidegate:cluster.region: 'Ohio' cannot work: no region is called so. "
        "Instead: one such as us-east-1 or us-central1.",
        f"{FILE}: tidegate:cluster.pools.h100.nodes: 0 cannot work: it is too small. "
        "Instead: 1 or more.",
    ]


def test_a_cluster_does_not_go_with_the_local_platform() -> None:
    (sentence,) = findings(cluster=PLAN, platform={"local": {}}, services={})
    assert "the platform is local" in sentence


def test_services_need_a_platform_beside_a_cluster_too() -> None:
    services = {"digits": {"release": "digits@1"}}
    assert findings(cluster=PLAN, services=services) == [
        f"{FILE}: tidegate:platform: is missing. Instead: add it."
    ]


def test_a_clusters_stack_and_a_kubeconfig_exclude_each_other() -> None:
    both = {"clusterStack": "organization/tidegate/aws-prod", "kubeconfig": "~/.kube/config"}
    platform = {"kubernetes": {**PLATFORM["kubernetes"], **both}}
    (sentence,) = findings(platform=platform, services={})
    assert "clusterStack, or kubeconfig and context" in sentence


@pytest.mark.parametrize(
    "other",
    [
        {"kubeconfig": "~/.kube/config"},
        {"context": "kind"},
        {"clusterStack": "organization/tidegate/aws-prod"},
    ],
)
def test_services_run_on_the_cluster_that_their_stack_makes(other: dict[str, str]) -> None:
    platform = {"kubernetes": {**PLATFORM["kubernetes"], **other}}
    (sentence,) = findings(cluster=PLAN, platform=platform, services={})
    assert sentence.startswith(f"{FILE}: tidegate:cluster: cannot work")
    assert "kubeconfig, context and clusterStack" in sentence.partition("Instead: ")[2]


BUCKET = {"cold": {"kind": "bucket", "namePrefix": "releases"}}


@pytest.mark.parametrize(
    ("cluster", "platform", "mend"),
    [
        ({**PLAN, "storage": BUCKET}, {}, None),
        (PLAN, {}, "add it, or a bucket as cluster.storage.cold"),
        (None, {"clusterStack": "organization/tidegate/aws-prod"}, None),
        (None, {}, "add it"),
    ],
)
def test_evidence_goes_into_the_clusters_own_bucket(
    cluster: dict[str, Any] | None, platform: dict[str, str], mend: str | None
) -> None:
    left = {key: value for key, value in PLATFORM["kubernetes"].items() if key != "evidence"}
    keys: dict[str, Any] = {"platform": {"kubernetes": {**left, **platform}}, "services": {}}
    keys |= {"cluster": cluster} if cluster is not None else {}
    if mend is None:
        assert load(**keys).kubernetes is not None
        return
    assert findings(**keys) == [
        f"{FILE}: tidegate:platform.kubernetes.evidence: is missing. Instead: {mend}."
    ]
