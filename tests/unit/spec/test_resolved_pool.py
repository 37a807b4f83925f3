"""What a pool becomes: the values that a cloud is given."""

from typing import Any

import pytest

from tests.unit.spec.cluster_documents import aws, gcp, pool, resolved
from tidegate.spec.accelerator_pool import AcceleratorPool
from tidegate.spec.resolved_pool import EksPlan, GkePlan, ResolvedPool

pytestmark = pytest.mark.unit

ZONE = ["us-central1-b"]


def on_aws(machine: str = "p5.48xlarge", **changes: Any) -> tuple[ResolvedPool, EksPlan]:
    found = resolved(aws(pool(machine, **changes)))[0]
    assert found.eks is not None
    return found, found.eks


def on_gcp(machine: str = "a3-ultragpu-8g", **changes: Any) -> tuple[ResolvedPool, GkePlan]:
    found = resolved(gcp(pool(machine, **changes)))[0]
    assert found.gke is not None
    return found, found.gke


def test_arm_machines_get_arm_images() -> None:
    block = {
        "kind": "capacityBlock",
        "reservation": "cr-02168da1478b509e0",
        "zone": "us-east-2b",
        "starts": "2026-11-20T11:30:00Z",
        "ends": "2026-11-30T11:30:00Z",
    }
    found, eks = on_aws("p6e-gb200.36xlarge", capacity=block, image={"family": "bottlerocket"})
    assert eks.ami_type == "BOTTLEROCKET_ARM_64_NVIDIA"
    assert (eks.capacity_type, eks.market_type) == ("CAPACITY_BLOCK", "capacity-block")
    assert eks.capacity_reservation == "cr-02168da1478b509e0"
    assert found.zones == ("us-east-2b",), "a block decides the zone"


def test_local_disks_are_joined_when_there_are_any() -> None:
    assert on_aws()[1].raid0
    assert not on_aws(disks={"local": "none"})[1].raid0
    assert on_gcp()[1].local_ssds == 32
    assert on_gcp(disks={"local": "none"})[1].local_ssds == 0


def test_training_and_inference_keep_off_each_other() -> None:
    for purpose in ("training", "inference"):
        found, _ = on_aws(purpose=purpose)
        taints = {taint.key: taint.value for taint in found.taints}
        assert taints == {"nvidia.com/gpu": "present", "tidegate.dev/purpose": purpose}


def test_flex_start_is_never_repaired() -> None:
    _, gke = on_gcp(capacity={"kind": "flexStart", "maxRunSeconds": 3600})
    assert (gke.flex_start, gke.auto_repair, gke.max_run_seconds) == (True, False, 3600)
    assert on_gcp()[1].auto_repair


def test_reservations_name_their_project_and_block() -> None:
    own = {"kind": "reservation", "reservation": "gpus"}
    assert on_gcp(capacity=own)[1].reservation_values == ("projects/acme-gpu/reservations/gpus",)
    block = own | {"project": "other", "block": "b1"}
    values = on_gcp(capacity=block, zones=ZONE)[1].reservation_values
    assert values == ("projects/other/reservations/gpus/reservationBlocks/b1",)


def test_sharing_has_the_words_of_gke() -> None:
    _, gke = on_gcp(purpose="inference", sharing={"strategy": "mps", "clients": 4})
    assert (gke.sharing_strategy, gke.max_shared_clients) == ("MPS", 4)
    _, gke = on_gcp(sharing={"migProfile": "1g.18gb"})
    assert (gke.gpu_partition_size, gke.sharing_strategy) == ("1g.18gb", None)


def test_fixed_counts_are_spread_over_the_zones() -> None:
    assert on_gcp(nodes=6)[1].nodes_by_zone == 2
    assert on_gcp()[1].nodes_by_zone is None


def test_a_cluster_user_sees_instances_and_shares() -> None:
    found, _ = on_aws(sharing={"migProfile": "1g.10gb"})
    seen = found.accelerator_pool()
    assert isinstance(seen, AcceleratorPool)
    assert seen.gpus_per_node == 8 * 7
    assert seen.gpu_memory_gib == 10
    assert seen.nodes_max == 3
    assert {each.key for each in seen.tolerations} == {"nvidia.com/gpu", "tidegate.dev/purpose"}
    assert seen.node_labels.items() <= found.labels.items()
    shared, _ = on_aws(purpose="inference", sharing={"strategy": "timeSlicing", "clients": 4})
    assert shared.accelerator_pool().gpus_per_node == 32
    assert shared.accelerator_pool().gpu_memory_gib == 20
    assert shared.accelerator_pool().max_gpus_per_pod is None


@pytest.mark.parametrize(
    ("fabric", "offered"),
    [
        ({}, {"vpc.amazonaws.com/efa": 0}),
        ({"kind": "efa"}, {"vpc.amazonaws.com/efa": 32}),
        ({"kind": "efa", "exposure": "dra"}, {}),
    ],
)
def test_a_cluster_user_sees_the_interfaces_that_pods_may_ask_for(
    fabric: dict[str, Any], offered: dict[str, int]
) -> None:
    assert (
        on_aws(fabric=fabric, zones=["us-east-2a"])[0].accelerator_pool().extended_resources
        == offered
    )


@pytest.mark.parametrize(
    ("sharing", "most", "host_ipc"),
    [
        ({}, None, False),
        ({"migProfile": "1g.18gb"}, None, False),
        ({"strategy": "timeSlicing", "clients": 2}, 1, False),
        ({"strategy": "mps", "clients": 2}, 1, True),
    ],
)
def test_a_cluster_user_sees_what_pods_on_shared_gpus_of_gke_must_keep_to(
    sharing: dict[str, Any], most: int | None, host_ipc: bool
) -> None:
    seen = on_gcp(purpose="inference", sharing=sharing)[0].accelerator_pool()
    assert (seen.max_gpus_per_pod, seen.needs_host_ipc) == (most, host_ipc)
