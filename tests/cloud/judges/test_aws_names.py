"""Every name that specs make for AWS is one that its APIs take, as botocore's models say.

What resources are declared with is judged in `test_aws_declared`; here are the values of a plan.
"""

from itertools import product
from typing import get_args

import pytest

from tests.cloud.judges.service_models import members, shapes, values
from tests.unit.spec.cluster_documents import aws, pool, resolved
from tidegate.aws.node_pools import TAINT_EFFECTS
from tidegate.spec.catalogue import machine_types
from tidegate.spec.fabric import InterfaceType
from tidegate.spec.node_settings import AWS_BOOT_DISKS, AWS_IMAGES, Taint
from tidegate.spec.pool_rules_aws import KEY_LENGTH
from tidegate.spec.storage_rules_hot import FSX_EFA_STEPS_GIB, FSX_THROUGHPUTS
from tidegate.spec.storage_tiers import S3_CLASSES, Efs, FsxLustre

pytestmark = pytest.mark.cloud

BLOCK = {
    "kind": "capacityBlock",
    "reservation": "cr-02168da1478b509e0",
    "zone": "us-east-2a",
    "starts": "2026-11-20T11:30:00Z",
    "ends": "2026-11-30T11:30:00Z",
}
CAPACITIES = [
    {"kind": "onDemand"},
    {"kind": "spot"},
    {"kind": "reservation", "reservation": "cr-02168da1478b509e0"},
    BLOCK,
]
FAMILIES = [None, "al2023", "bottlerocket"]


@pytest.mark.parametrize("name", [each.name for each in machine_types("aws")])
def test_instance_types_exist(name: str) -> None:
    assert name in values("ec2", "InstanceType")


def test_ami_types_exist() -> None:
    assert set(AWS_IMAGES.values()) <= values("eks", "AMITypes")
    assert all("NVIDIA" in image for image in AWS_IMAGES.values())


@pytest.mark.parametrize("machine", ["g6e.12xlarge", "p5.48xlarge", "p6e-gb200.36xlarge"])
def test_node_groups_have_known_types_and_markets(machine: str) -> None:
    """Over every capacity and image family that a plan can name for the type."""
    offered = {each.name: each.capacity for each in machine_types("aws")}[machine]
    for capacity, family in product(CAPACITIES, FAMILIES):
        if capacity["kind"] not in offered:
            continue
        found = resolved(
            aws(pool(machine, zones=["us-east-2a"], capacity=capacity, image={"family": family}))
        )
        eks = found[0].eks
        assert eks is not None
        assert eks.ami_type in values("eks", "AMITypes")
        assert eks.capacity_type in values("eks", "CapacityTypes")
        assert eks.market_type is None or eks.market_type in values("ec2", "MarketType")
        assert eks.boot_disk in values("ec2", "VolumeType")


def test_every_capacity_of_aws_is_judged() -> None:
    judged = {str(each["kind"]) for each in CAPACITIES}
    assert judged == {kind for each in machine_types("aws") for kind in each.capacity}


def test_reservations_are_targeted_by_id_or_group() -> None:
    assert members("ec2", "CapacityReservationTarget") == {
        "CapacityReservationId",
        "CapacityReservationResourceGroupArn",
    }


def test_interface_types_exist() -> None:
    assert set(get_args(InterfaceType)) <= values("ec2", "NetworkCardInterfaceType")


def test_boot_disks_exist() -> None:
    assert set(AWS_BOOT_DISKS) <= values("ec2", "VolumeType")


def test_taint_effects_are_those_of_eks() -> None:
    """EKS writes them its own way: NO_SCHEDULE for NoSchedule."""
    assert set(TAINT_EFFECTS) == set(get_args(Taint.model_fields["effect"].annotation))
    assert set(TAINT_EFFECTS.values()) == values("eks", "TaintEffect")


def test_keys_of_labels_and_taints_have_the_length_that_eks_takes() -> None:
    for shape in ("labelKey", "taintKey"):
        assert shapes("eks")[shape]["max"] == KEY_LENGTH


def test_node_groups_have_no_surge() -> None:
    """Specs refuse it."""
    assert not any("surge" in each.lower() for each in members("eks", "NodegroupUpdateConfig"))


def test_lustre_deployment_types_exist() -> None:
    annotation = FsxLustre.model_fields["deployment_type"].annotation
    assert set(get_args(annotation)) <= values("fsx", "LustreDeploymentType")


def test_lustre_throughputs_are_those_of_the_documentation() -> None:
    """The model has a range; the documented values are in the description of the member."""
    shape = shapes("fsx")["PerUnitStorageThroughput"]
    assert all(shape["min"] <= each <= shape["max"] for each in FSX_THROUGHPUTS)
    member = shapes("fsx")["CreateFileSystemLustreConfiguration"]["members"]
    text = member["PerUnitStorageThroughput"]["documentation"]
    line = next(part for part in text.split("<li>")[1:] if "PERSISTENT_2" in part)
    assert ", ".join(map(str, FSX_THROUGHPUTS)) in line


def test_lustre_with_efa_grows_in_the_documented_steps() -> None:
    """https://docs.aws.amazon.com/fsx/latest/LustreGuide/increase-storage-capacity.html"""
    assert FSX_EFA_STEPS_GIB == {125: 38400, 250: 19200, 500: 9600, 1000: 4800}
    assert set(FSX_EFA_STEPS_GIB) == set(FSX_THROUGHPUTS)


def test_lustre_sizes_are_those_of_the_documentation() -> None:
    text = shapes("fsx")["CreateFileSystemRequest"]["members"]["StorageCapacity"]["documentation"]
    line = next(part for part in text.split("<li>")[1:] if "PERSISTENT_2" in part)
    assert "1200 GiB, 2400 GiB, and increments of 2400 GiB" in line


def test_lustre_can_be_created_with_efa() -> None:
    assert "EfaEnabled" in members("fsx", "CreateFileSystemLustreConfiguration")


def test_efs_throughput_modes_exist() -> None:
    annotation = Efs.model_fields["throughput_mode"].annotation
    assert set(get_args(annotation)) == values("efs", "ThroughputMode")


def test_storage_classes_can_be_gone_to() -> None:
    assert set(S3_CLASSES) <= values("s3", "TransitionStorageClass")
