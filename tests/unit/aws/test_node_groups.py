"""Node groups: interfaces, disks, capacity, taints, as EC2 and EKS want them."""

import base64
from datetime import datetime, timedelta
from typing import Any

import pytest
import yaml

from tests.unit.aws.declared import NODE_GROUP, PLACEMENT, SCHEDULE, TEMPLATE, declare
from tests.unit.spec.cluster_documents import NOW, aws, pool

pytestmark = pytest.mark.unit

ZONE = {"zones": ["us-east-2a"]}
EFA = {"fabric": {"kind": "efa"}}
BLOCK_STARTS = NOW.replace(hour=11, minute=30) + timedelta(days=2)
BLOCK = {
    "kind": "capacityBlock",
    "reservation": "cr-02168da1478b509e0",
    "zone": "us-east-2a",
    "starts": BLOCK_STARTS.isoformat(),
    "ends": (BLOCK_STARTS + timedelta(days=7)).isoformat(),
}
# (card, device) of every interface, from AWS's tables of accelerated instance types.
INTERFACES = {
    "p4d.24xlarge": [(0, 0), (0, 1), (1, 0), (2, 0), (3, 0)],
    "g6e.8xlarge": [(0, 0), (0, 1)],
    "p6-b300.48xlarge": [(card, 0) for card in range(17)],
    "p6e-gb200.36xlarge": [(0, 0), (1, 0), (5, 0), (9, 0), (13, 0)],
}


ONLY_IN_BLOCKS = "p6e-gb200.36xlarge"


@pytest.mark.parametrize("machine", INTERFACES)
def test_every_interface_is_where_the_type_has_it(machine: str) -> None:
    capacity = BLOCK if machine == ONLY_IN_BLOCKS else {"kind": "onDemand"}
    nodes = {"min": 0, "max": 2}
    document = aws(pool(machine, **ZONE, **EFA, nodes=nodes, capacity=capacity))
    template = declare(document).only(TEMPLATE)
    found = template["networkInterfaces"]
    assert [(each["networkCardIndex"], each["deviceIndex"]) for each in found] == (
        INTERFACES[machine]
    )
    assert [each["interfaceType"] for each in found] == (
        ["interface"] + ["efa-only"] * (len(found) - 1)
    )
    assert all(len(each["securityGroups"]) == 2 for each in found)
    assert "vpcSecurityGroupIds" not in template


def test_members_of_the_fabric_reach_each_other_and_nobody_else() -> None:
    declared = declare(aws(pool("p5.48xlarge", **ZONE, **EFA)))
    for kind in ("Ingress", "Egress"):
        type_name = f"aws:vpc/securityGroup{kind}Rule:SecurityGroup{kind}Rule"
        rule = declared.only(type_name, "fabric")
        assert rule["ipProtocol"] == "-1"
        assert rule["securityGroupId"] == rule["referencedSecurityGroupId"] == "prod-fabric-id"
        assert "cidrIpv4" not in rule


def test_nodes_start_encrypted_with_joined_disks_and_tokens_for_metadata() -> None:
    template = declare(aws(pool("p5.48xlarge", **ZONE))).only(TEMPLATE)
    (disk,) = template["blockDeviceMappings"]
    assert (disk["ebs"]["encrypted"], disk["ebs"]["volumeType"]) == ("true", "gp3")
    assert template["metadataOptions"]["httpTokens"] == "required"
    node = _node_config(template)
    assert node["spec"]["instance"]["localStorage"]["strategy"] == "RAID0"
    assert node["spec"]["kubelet"]["config"]["maxPods"] == 110
    tagged = {each["resourceType"]: each["tags"] for each in template["tagSpecifications"]}
    assert set(tagged) == {"instance", "volume", "network-interface"}
    assert all(tags["tidegate-cluster"] == "prod" for tags in tagged.values())


def test_bottlerocket_joins_its_disks_in_its_own_way() -> None:
    document = aws(pool("p5.48xlarge", **ZONE, image={"family": "bottlerocket"}))
    template = declare(document).only(TEMPLATE)
    text = base64.b64decode(template["userData"]).decode()
    assert "max-pods = 110" in text
    assert "ephemeral-storage" in text
    disks = {each["deviceName"]: each["ebs"] for each in template["blockDeviceMappings"]}
    assert disks["/dev/xvdb"]["volumeSize"] == 200
    assert "volumeSize" not in disks["/dev/xvda"]
    assert {each["encrypted"] for each in disks.values()} == {"true"}


def test_compact_nodes_have_a_cluster_placement_group() -> None:
    document = aws(pool("p5.48xlarge", **ZONE, **EFA, placement={"compact": True}))
    declared = declare(document)
    assert declared.only(PLACEMENT)["strategy"] == "cluster"
    assert declared.only(TEMPLATE)["placement"] == {"groupName": "prod-gpus"}


def test_a_reservation_is_targeted() -> None:
    capacity = {"kind": "reservation", "reservation": "cr-02168da1478b509e0"}
    template = declare(aws(pool("p5.48xlarge", **ZONE, capacity=capacity))).only(TEMPLATE)
    target = template["capacityReservationSpecification"]["capacityReservationTarget"]
    assert target == {"capacityReservationId": "cr-02168da1478b509e0"}
    assert "instanceMarketOptions" not in template


def test_a_group_of_reservations_is_targeted_over_all_zones() -> None:
    group = "arn:aws:resource-groups:us-east-2:123456789012:group/h100"
    capacity = {"kind": "reservation", "reservation": group}
    template = declare(aws(pool("p5.48xlarge", capacity=capacity))).only(TEMPLATE)
    target = template["capacityReservationSpecification"]["capacityReservationTarget"]
    assert target == {"capacityReservationResourceGroupArn": group}


def test_a_capacity_block_waits_for_its_first_minute() -> None:
    declared = _with_block(NOW)
    group, template = declared.only(NODE_GROUP), declared.only(TEMPLATE)
    assert group["capacityType"] == "CAPACITY_BLOCK"
    assert "instanceTypes" not in group
    assert group["scalingConfig"] == {"minSize": 0, "maxSize": 4, "desiredSize": 0}
    assert template["instanceMarketOptions"] == {"marketType": "capacity-block"}
    schedules = declared.of(SCHEDULE)
    begin, end = schedules["gpus-begin"], schedules["gpus-end"]
    assert (begin["startTime"], begin["desiredCapacity"]) == ("2026-11-25T11:30:00Z", 4)
    assert (end["startTime"], end["desiredCapacity"]) == ("2026-12-02T10:30:00Z", 0)


def test_ultra_servers_lose_their_nodes_earlier_and_may_be_several() -> None:
    group = "arn:aws:resource-groups:us-east-2:123456789012:group/gb200"
    document = aws(
        pool(ONLY_IN_BLOCKS, nodes={"min": 0, "max": 36}, capacity=BLOCK | {"reservation": group})
    )
    declared = declare(document)
    assert declared.only(SCHEDULE, "gpus-end")["startTime"] == "2026-12-02T10:00:00Z"
    template = declared.only(TEMPLATE)
    assert template["instanceMarketOptions"] == {"marketType": "capacity-block"}
    assert template["capacityReservationSpecification"]["capacityReservationTarget"] == {
        "capacityReservationResourceGroupArn": group
    }


def test_a_capacity_block_that_has_begun_has_its_nodes_at_once() -> None:
    declared = _with_block(BLOCK_STARTS + timedelta(hours=1))
    assert declared.only(NODE_GROUP)["scalingConfig"]["desiredSize"] == 4
    assert list(declared.of(SCHEDULE)) == ["gpus-end"]


def test_a_capacity_block_has_no_nodes_when_its_schedule_has_taken_them() -> None:
    declared = _with_block(BLOCK_STARTS + timedelta(days=7, minutes=-45))
    assert declared.only(NODE_GROUP)["scalingConfig"]["desiredSize"] == 0
    assert declared.of(SCHEDULE) == {}


def test_only_a_range_leaves_the_number_of_nodes_to_others() -> None:
    nodes = {"min": 0, "max": 4}
    declared = declare(
        aws(
            pool("p5.48xlarge", nodes=nodes, capacity=BLOCK, name="block"),
            pool("g6e.12xlarge", nodes=2, name="static"),
            pool("g6e.12xlarge", nodes=nodes, name="range"),
        )
    )
    ignored = {
        name: declared.registration(NODE_GROUP, name).ignored for name in declared.of(NODE_GROUP)
    }
    assert ignored == {
        "system": (),
        "block": (),
        "static": (),
        "range": ("scalingConfig.desiredSize",),
    }


def test_nodes_for_training_repel_everything_else() -> None:
    taints = declare(aws(pool("p5.48xlarge", **ZONE))).only(NODE_GROUP)["taints"]
    assert taints == [
        {"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"},
        {"key": "tidegate.dev/purpose", "value": "training", "effect": "NO_SCHEDULE"},
    ]


def test_unhealthy_nodes_are_replaced_unless_the_plan_says_otherwise() -> None:
    for repair, enabled in ((None, True), (False, False)):
        group = declare(aws(pool("p5.48xlarge", **ZONE, repair=repair))).only(NODE_GROUP)
        assert group["nodeRepairConfig"] == {"enabled": enabled}


def _with_block(now: datetime) -> Any:
    nodes = {"min": 0, "max": 4}
    return declare(aws(pool("p5.48xlarge", nodes=nodes, capacity=BLOCK)), now=now)


def _node_config(template: dict[str, Any]) -> dict[str, Any]:
    text = base64.b64decode(template["userData"]).decode()
    assert "Content-Type: application/node.eks.aws" in text
    content = text.split("application/node.eks.aws\n\n")[1].split("--//")[0]
    return dict(yaml.safe_load(content))
