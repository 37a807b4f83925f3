"""Over many plans: whatever is not refused is declared, private, encrypted and labelled."""

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.unit.gcp.declared import CLUSTER, NODE_POOL, SUBNETWORK, Declared, declare
from tests.unit.spec.cluster_documents import NOW, Document, gcp
from tests.unit.spec.test_cluster_properties import GCP_ZONES, node_pools, some_of, storage
from tidegate.spec.cluster_plan import parse_cluster
from tidegate.spec.cluster_rules import check_cluster
from tidegate.spec.errors import SpecError
from tidegate.spec.resolved_pool import ResolvedPool

pytestmark = pytest.mark.unit

FEW = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def accepted(document: Document) -> bool:
    try:
        check_cluster(parse_cluster(document), NOW)
    except SpecError:
        return False
    return True


@FEW
@given(
    st.lists(node_pools("gcp", GCP_ZONES), min_size=1, max_size=2),
    some_of({"storage": storage(GCP_ZONES), "protect": st.booleans()}, 2),
)
def test_every_plan_that_is_taken_keeps_the_invariants(
    pools: list[Document], more: Document
) -> None:
    document = gcp(*pools) | more
    assume(accepted(document))
    declared = declare(document)
    cluster = declared.only(CLUSTER)
    assert cluster["privateClusterConfig"]["enablePrivateNodes"] is True
    assert cluster["privateClusterConfig"]["enablePrivateEndpoint"] is True
    assert cluster["databaseEncryption"]["state"] == "ENCRYPTED"
    ranges = [each.inputs["ipCidrRange"] for each in declared.of(SUBNETWORK)]
    assert len(ranges) == len(set(ranges))
    for resolved in check_cluster(parse_cluster(document), NOW):
        _check_pool(resolved, declared.pool(resolved.name))
    for each in declared.of(NODE_POOL):
        _check_nodes(each)


def _check_pool(resolved: ResolvedPool, made: dict[str, Any]) -> None:
    config = made["nodeConfig"]
    keys = {each["key"] for each in config["taints"]}
    assert {"nvidia.com/gpu", "tidegate.dev/purpose"} <= keys
    networks = resolved.networks
    wanted = networks.gvnic + networks.rdma_subnetworks if networks else 0
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
