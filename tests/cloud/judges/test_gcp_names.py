"""Every name that specs make for Google Cloud is one that its APIs take, as its protos say.

Machine and accelerator types are enumerated in no proto: they stand against a table by hand.
"""

from itertools import product

import pytest
from google.cloud import compute_v1, container_v1, filestore_v1, lustre_v1, parallelstore_v1

from tests.unit.spec.cluster_documents import Document, gcp, pool, resolved
from tidegate.spec.catalogue import MachineType, machine_types
from tidegate.spec.resolved_pool import GkePlan
from tidegate.spec.storage_rules import FILESTORE_GIB
from tidegate.spec.storage_rules_hot import (
    LUSTRE_NAME_LENGTH,
    MANAGED_LUSTRE_GIB,
    PARALLELSTORE_GIB,
)

pytestmark = pytest.mark.cloud

CAPACITIES: list[Document] = [
    {"kind": "onDemand"},
    {"kind": "spot"},
    {"kind": "reservation", "reservation": "gpus"},
    {"kind": "flexStart"},
    {"kind": "queued"},
]
SHARINGS: list[Document] = [
    {},
    {"strategy": "timeSlicing", "clients": 2},
    {"strategy": "mps", "clients": 2},
]

# https://cloud.google.com/kubernetes-engine/docs/how-to/gpus and the examples of
# GoogleCloudPlatform/cluster-toolkit: type of the accelerator, how many.
ACCELERATORS = {
    "a2-highgpu-1g": ("nvidia-tesla-a100", 1),
    "a2-highgpu-2g": ("nvidia-tesla-a100", 2),
    "a2-highgpu-4g": ("nvidia-tesla-a100", 4),
    "a2-highgpu-8g": ("nvidia-tesla-a100", 8),
    "a2-megagpu-16g": ("nvidia-tesla-a100", 16),
    "a2-ultragpu-1g": ("nvidia-a100-80gb", 1),
    "a2-ultragpu-2g": ("nvidia-a100-80gb", 2),
    "a2-ultragpu-4g": ("nvidia-a100-80gb", 4),
    "a2-ultragpu-8g": ("nvidia-a100-80gb", 8),
    "a3-highgpu-1g": ("nvidia-h100-80gb", 1),
    "a3-highgpu-2g": ("nvidia-h100-80gb", 2),
    "a3-highgpu-4g": ("nvidia-h100-80gb", 4),
    "a3-highgpu-8g": ("nvidia-h100-80gb", 8),
    "a3-edgegpu-8g": ("nvidia-h100-80gb", 8),
    "a3-megagpu-8g": ("nvidia-h100-mega-80gb", 8),
    "a3-ultragpu-8g": ("nvidia-h200-141gb", 8),
    "a4-highgpu-8g": ("nvidia-b200", 8),
    "a4x-highgpu-4g": ("nvidia-gb200", 4),
    "g2-standard-4": ("nvidia-l4", 1),
    "g2-standard-8": ("nvidia-l4", 1),
    "g2-standard-12": ("nvidia-l4", 1),
    "g2-standard-16": ("nvidia-l4", 1),
    "g2-standard-24": ("nvidia-l4", 2),
    "g2-standard-32": ("nvidia-l4", 1),
    "g2-standard-48": ("nvidia-l4", 4),
    "g2-standard-96": ("nvidia-l4", 8),
    "g4-standard-48": ("nvidia-rtx-pro-6000", 1),
    "g4-standard-96": ("nvidia-rtx-pro-6000", 2),
    "g4-standard-192": ("nvidia-rtx-pro-6000", 4),
    "g4-standard-384": ("nvidia-rtx-pro-6000", 8),
}

# modules/compute/gke-node-pool/gpu_direct.tf and disk_definitions.tf of the same repository, and
# its examples: networks beside the nodes' own (gVNIC, RDMA), MTU, local SSDs.
FABRICS = {
    "a3-highgpu-8g": (4, 0, 8244, 16),
    "a3-megagpu-8g": (8, 0, 8244, 16),
    "a3-ultragpu-8g": (1, 8, 8896, 32),
    "a4-highgpu-8g": (1, 8, 8896, 32),
}


def plans() -> list[GkePlan]:
    """Of every capacity, sharing, placement and upgrade that a plan can name."""
    found = []
    for capacity, sharing, compact, upgrade in product(
        CAPACITIES, SHARINGS, (False, True), ("surge", "blueGreen")
    ):
        queued = capacity["kind"] == "queued"
        if (compact and (upgrade == "blueGreen" or queued)) or (queued and sharing):
            continue
        document = pool(
            "a3-ultragpu-8g",
            purpose="training" if queued else "inference",
            zones=["us-central1-b"],
            capacity=capacity,
            sharing=sharing,
            placement={"compact": compact},
            upgrade={"strategy": upgrade},
        )
        base = pool("g2-standard-4", name="base", purpose="inference")
        resolved_pool = resolved(gcp(document, base))[0]
        assert resolved_pool.gke is not None
        found.append(resolved_pool.gke)
    return found


def test_values_of_node_pools_exist() -> None:
    sharing = container_v1.GPUSharingConfig.GPUSharingStrategy
    for plan in plans():
        assert plan.reservation_affinity in container_v1.ReservationAffinity.Type.__members__
        assert plan.upgrade_strategy in container_v1.NodePoolUpdateStrategy.__members__
        assert plan.driver_version in (
            container_v1.GPUDriverInstallationConfig.GPUDriverVersion.__members__
        )
        if plan.sharing_strategy is not None:
            assert plan.sharing_strategy in sharing.__members__
        if plan.placement_type is not None:
            assert plan.placement_type in container_v1.NodePool.PlacementPolicy.Type.__members__


def test_fields_of_node_pools_exist() -> None:
    config = container_v1.NodeConfig.meta.fields
    assert {"flex_start", "max_run_duration", "spot", "reservation_affinity"} <= set(config)
    network = container_v1.NodeNetworkConfig.meta.fields
    assert {"accelerator_network_profile", "additional_node_network_configs"} <= set(network)
    assert "gpu_partition_size" in container_v1.AcceleratorConfig.meta.fields
    assert "policy_name" in container_v1.NodePool.PlacementPolicy.meta.fields


def test_rdma_is_a_strategy_and_an_interface() -> None:
    strategies = container_v1.GPUDirectConfig.GPUDirectStrategy.__members__
    assert any("RDMA" in each for each in strategies)
    assert "MRDMA" in compute_v1.NetworkInterface.NicType.__members__
    assert "network_profile" in compute_v1.Network.meta.fields


@pytest.mark.parametrize("machine", machine_types("gcp"), ids=lambda each: str(each.name))
def test_accelerators_are_those_that_google_publishes(machine: MachineType) -> None:
    assert (machine.accelerator_type, machine.gpu.count) == ACCELERATORS[machine.name]


def test_the_table_of_accelerators_has_no_further_type() -> None:
    assert {each.name for each in machine_types("gcp")} == set(ACCELERATORS)


def test_networks_of_gpus_are_those_that_google_publishes() -> None:
    found = {
        each.name: (
            each.gpu_direct.gvnic_networks,
            each.gpu_direct.rdma_subnetworks,
            each.gpu_direct.mtu,
            each.local_ssds,
        )
        for each in machine_types("gcp")
        if each.gpu_direct is not None and not each.gpu_direct.managed_only
    }
    assert found == FABRICS


def test_lustre_throughputs_and_name_are_those_of_the_proto() -> None:
    text = " ".join((lustre_v1.Instance.__doc__ or "").split())
    assert ", ".join(map(str, sorted(MANAGED_LUSTRE_GIB))) in text
    assert "Must be eight characters or less" in text
    assert LUSTRE_NAME_LENGTH == 8


def test_parallelstore_sizes_are_those_of_the_proto() -> None:
    first, last, step = PARALLELSTORE_GIB
    text = " ".join((parallelstore_v1.Instance.__doc__ or "").split())
    assert f"between {first} and {last}, in multiples of {step}" in text


def test_filestore_tiers_exist() -> None:
    assert set(FILESTORE_GIB) <= set(filestore_v1.Instance.Tier.__members__)
