"""Over many plans: whatever is not refused is declared, private, encrypted and labelled."""

from ipaddress import IPv4Network
from itertools import combinations
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.cloud.judges.test_gcp_names import FABRICS
from tests.unit.gcp.declared import BUCKET, CLUSTER, NODE_POOL, SUBNETWORK, Declared, declare
from tests.unit.spec.cluster_documents import NOW, Document, gcp
from tests.unit.spec.drawn_documents import (
    GCP_ZONES,
    at_random,
    node_pools,
    pools_on_gpu_direct,
    repeatable,
    some_of,
    storage,
    usual_networks,
)
from tidegate.spec.cluster_plan import parse_cluster
from tidegate.spec.cluster_rules import check_cluster
from tidegate.spec.errors import SpecError
from tidegate.spec.resolved_pool import ResolvedPool

pytestmark = pytest.mark.unit

PLANS = st.builds(
    lambda pools, more: gcp(*pools) | more,
    st.lists(node_pools("gcp", GCP_ZONES) | pools_on_gpu_direct(), min_size=1, max_size=2),
    some_of(
        {"storage": storage(GCP_ZONES), "network": usual_networks(), "protect": st.booleans()}, 3
    ),
)


def accepted(document: Document) -> bool:
    try:
        check_cluster(parse_cluster(document), NOW)
    except SpecError:
        return False
    return True


@repeatable(25)
@given(PLANS)
def test_every_plan_that_is_taken_keeps_the_invariants(document: Document) -> None:
    _check(document)


@pytest.mark.extended
@pytest.mark.timeout(900)
@at_random(500)
@given(PLANS)
def test_many_plans_that_are_taken_keep_the_invariants(document: Document) -> None:
    _check(document)


def _check(document: Document) -> None:
    assume(accepted(document))
    declared = declare(document)
    cluster = declared.only(CLUSTER)
    assert cluster["privateClusterConfig"]["enablePrivateNodes"] is True
    assert cluster["privateClusterConfig"]["enablePrivateEndpoint"] is True
    assert cluster["databaseEncryption"]["state"] == "ENCRYPTED"
    ranges = [IPv4Network(each.inputs["ipCidrRange"]) for each in declared.of(SUBNETWORK)]
    assert not any(one.overlaps(other) for one, other in combinations(ranges, 2))
    for bucket in declared.of(BUCKET):
        _check_bucket(bucket.inputs)
    for resolved in check_cluster(parse_cluster(document), NOW):
        _check_pool(resolved, declared.pool(resolved.name))
    for each in declared.of(NODE_POOL):
        _check_nodes(each)


def _check_pool(resolved: ResolvedPool, made: dict[str, Any]) -> None:
    config = made["nodeConfig"]
    keys = {each["key"] for each in config["taints"]}
    assert {"nvidia.com/gpu", "tidegate.dev/purpose"} <= keys
    fabric = resolved.pool.fabric
    explicit = fabric.kind == "gpuDirect" and fabric.mode == "explicit"
    wanted = sum(FABRICS[resolved.machine.name][:2]) if explicit else 0
    assert len(made["networkConfig"].get("additionalNodeNetworkConfigs", [])) == wanted
    (gpu,) = config["guestAccelerators"]
    assert (gpu["type"], gpu["count"]) == (
        resolved.machine.accelerator_type,
        resolved.machine.gpu.count,
    )
    if config["flexStart"]:
        assert made["management"]["autoRepair"] is False
        assert config["spot"] is False
        assert "nodeCount" not in made


def _check_nodes(pool: Declared) -> None:
    config = pool.inputs["nodeConfig"]
    assert config["bootDiskKmsKey"] == "prod-disks-id"
    assert config["resourceLabels"]["tidegate-cluster"] == "prod"
    assert pool.inputs["networkConfig"]["enablePrivateNodes"] is True
    assert len(pool.name) <= 32  # the engine adds eight characters, and GKE takes forty


def _check_bucket(inputs: dict[str, Any]) -> None:
    assert inputs["publicAccessPrevention"] == "enforced"
    assert inputs["uniformBucketLevelAccess"] is True
    assert inputs["encryption"]["defaultKmsKeyName"] == "prod-buckets-id"
    assert inputs["versioning"]["enabled"] != bool(inputs.get("retentionPolicy"))
    assert inputs["labels"]["tidegate-cluster"] == "prod"
