"""Node pools of GKE: what the plan says is what GKE is asked for."""

from typing import Any

import pytest

from tests.unit.gcp.declared import NODE_POOL, declare
from tests.unit.spec.cluster_documents import gcp, pool

pytestmark = pytest.mark.unit

RESERVED = {"kind": "reservation", "reservation": "gpus"}
ONE_ZONE = {"zones": ["us-central1-a"]}


def node_pool(machine_type: str, **changes: Any) -> dict[str, Any]:
    return declare(gcp(pool(machine_type, **changes))).pool("gpus")


def test_every_pool_has_private_nodes_own_account_own_key_and_a_shielded_boot() -> None:
    declared = declare(gcp(pool("g2-standard-48", purpose="inference")))
    assert len(declared.of(NODE_POOL)) == 2  # the system's and the GPUs'
    for each in declared.of(NODE_POOL):
        config = each.inputs["nodeConfig"]
        assert each.inputs["networkConfig"]["enablePrivateNodes"] is True
        assert config["serviceAccount"].endswith("iam.gserviceaccount.com")
        assert config["bootDiskKmsKey"] == "prod-disks-id"
        assert config["shieldedInstanceConfig"] == {
            "enableSecureBoot": True,
            "enableIntegrityMonitoring": True,
        }
        assert config["workloadMetadataConfig"] == {"mode": "GKE_METADATA"}
        assert config["resourceLabels"]["team"] == "serving"
        assert config["resourceLabels"]["tidegate-cluster"] == "prod"


@pytest.mark.parametrize("purpose", ["training", "inference"])
def test_nodes_repel_pods_without_gpus_and_those_of_the_other_purpose(purpose: str) -> None:
    assert node_pool("g2-standard-8", purpose=purpose)["nodeConfig"]["taints"] == [
        {"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"},
        {"key": "tidegate.dev/purpose", "value": purpose, "effect": "NO_SCHEDULE"},
    ]


def test_a_range_is_the_autoscalers_and_a_count_is_by_zone() -> None:
    moving = node_pool("g2-standard-8", nodes={"min": 1, "max": 6})
    assert moving["autoscaling"] == {
        "totalMinNodeCount": 1,
        "totalMaxNodeCount": 6,
        "locationPolicy": "BALANCED",
    }
    assert "nodeCount" not in moving
    assert moving["initialNodeCount"] == 1
    fixed = node_pool("g2-standard-8", nodes=6)
    assert fixed["nodeCount"] == 2
    assert "autoscaling" not in fixed


def test_nodes_have_the_plans_version_or_keep_theirs() -> None:
    document = gcp(pool("g2-standard-48"))
    made = [each.inputs for each in declare(document).of(NODE_POOL)]
    assert [each["version"] for each in made] == ["1.34.1-gke.1829001"] * 2
    document.pop("gkeVersion")
    assert all("version" not in each.inputs for each in declare(document).of(NODE_POOL))


def test_a_reservation_is_consumed_by_its_full_name() -> None:
    capacity = {**RESERVED, "block": "gpus-block-1", "project": "acme-shared"}
    config = node_pool("a4-highgpu-8g", capacity=capacity, **ONE_ZONE)["nodeConfig"]
    assert config["reservationAffinity"] == {
        "consumeReservationType": "SPECIFIC_RESERVATION",
        "key": "compute.googleapis.com/reservation-name",
        "values": ["projects/acme-shared/reservations/gpus/reservationBlocks/gpus-block-1"],
    }


def test_flex_start_takes_no_reservation_is_not_repaired_and_ends() -> None:
    made = node_pool(
        "a4-highgpu-8g", capacity={"kind": "flexStart", "maxRunSeconds": 86400}, **ONE_ZONE
    )
    config = made["nodeConfig"]
    assert config["flexStart"] is True
    assert config["spot"] is False
    assert config["maxRunDuration"] == "86400s"
    assert config["reservationAffinity"] == {"consumeReservationType": "NO_RESERVATION"}
    assert made["management"]["autoRepair"] is False
    assert made["autoscaling"]["locationPolicy"] == "ANY"


def test_queued_nodes_start_at_none_and_say_that_they_are_queued() -> None:
    made = node_pool("a4-highgpu-8g", capacity={"kind": "queued"}, **ONE_ZONE)
    assert made["queuedProvisioning"] == {"enabled": True}
    assert made["initialNodeCount"] == 0
    assert made["nodeConfig"]["labels"]["cloud.google.com/gke-queued"] == "true"


def test_compact_placement_and_an_nvlink_domain() -> None:
    compact = node_pool("a3-megagpu-8g", placement={"compact": True}, **ONE_ZONE)
    assert compact["placementPolicy"] == {"type": "COMPACT"}
    named = node_pool("a3-megagpu-8g", placement={"policyName": "near"}, **ONE_ZONE)
    assert named["placementPolicy"] == {"type": "COMPACT", "policyName": "near"}
    declared = declare(
        gcp(
            pool(
                "a4x-highgpu-4g",
                nodes=18,
                capacity=RESERVED,
                fabric={"kind": "gpuDirect", "mode": "managed"},
                placement={"compact": True, "topology": "1x72"},
                **ONE_ZONE,
            )
        )
    )
    policy = declared.only("gcp:compute/resourcePolicy:ResourcePolicy")
    assert policy["workloadPolicy"] == {"type": "HIGH_THROUGHPUT", "acceleratorTopology": "1x72"}
    assert declared.pool("gpus")["placementPolicy"] == {
        "type": "COMPACT",
        "policyName": "prod-gpus",
    }


def test_shared_gpus_and_hardware_partitions() -> None:
    shared = node_pool(
        "g2-standard-48", purpose="inference", sharing={"strategy": "mps", "clients": 4}
    )
    (gpu,) = shared["nodeConfig"]["guestAccelerators"]
    assert (gpu["type"], gpu["count"]) == ("nvidia-l4", 4)
    assert gpu["gpuSharingConfig"] == {"gpuSharingStrategy": "MPS", "maxSharedClientsPerGpu": 4}
    cut = node_pool("a2-ultragpu-4g", purpose="inference", sharing={"migProfile": "3g.40gb"})
    (gpu,) = cut["nodeConfig"]["guestAccelerators"]
    assert gpu["gpuPartitionSize"] == "3g.40gb"
    assert "gpuSharingConfig" not in gpu
    assert gpu["gpuDriverInstallationConfig"] == {"gpuDriverVersion": "DEFAULT"}


@pytest.mark.parametrize(
    ("local", "given", "absent"),
    [
        ("ephemeral", "ephemeralStorageLocalSsdConfig", "localNvmeSsdBlockConfig"),
        ("block", "localNvmeSsdBlockConfig", "ephemeralStorageLocalSsdConfig"),
    ],
)
def test_local_disks(local: str, given: str, absent: str) -> None:
    config = node_pool("a3-megagpu-8g", disks={"local": local})["nodeConfig"]
    assert config[given] == {"localSsdCount": 16}
    assert absent not in config


def test_drivers_of_somebody_else_are_not_signed_by_google() -> None:
    made = node_pool("g2-standard-8", image={"driver": "disabled"})
    assert made["nodeConfig"]["shieldedInstanceConfig"]["enableSecureBoot"] is False
    assert made["nodeConfig"]["shieldedInstanceConfig"]["enableIntegrityMonitoring"] is True


def test_blue_green_upgrades_name_their_rollout() -> None:
    upgrade = node_pool("g2-standard-8", upgrade={"strategy": "blueGreen"})["upgradeSettings"]
    assert upgrade["strategy"] == "BLUE_GREEN"
    assert upgrade["blueGreenSettings"]["standardRolloutPolicy"]["batchNodeCount"] == 1
    assert "maxSurge" not in upgrade
