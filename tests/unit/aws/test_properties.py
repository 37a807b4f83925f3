"""Over many plans: whatever is not refused is declared, private, encrypted, tagged and tainted."""

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.unit.aws.declared import NODE_GROUP, TEMPLATE, Declarations, declare
from tests.unit.spec.cluster_documents import NOW, Document, aws, pool
from tests.unit.spec.test_cluster_properties import AWS_ZONES, node_pools, some_of, storage
from tidegate.spec.cluster_plan import parse_cluster
from tidegate.spec.cluster_rules import check_cluster
from tidegate.spec.errors import SpecError
from tidegate.spec.resolved_pool import ResolvedPool

pytestmark = pytest.mark.unit

FEW = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
EFA = {"fabric": {"kind": "efa"}, "zones": ["us-east-2a"]}
UNTAGGED = {
    "aws:autoscaling/schedule:Schedule",
    "aws:cloudwatch/eventTarget:EventTarget",
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "aws:ecr/lifecyclePolicy:LifecyclePolicy",
    "aws:efs/backupPolicy:BackupPolicy",
    "aws:efs/mountTarget:MountTarget",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:sqs/queuePolicy:QueuePolicy",
}
"""Types of AWS's without tags."""


def accepted(document: Document) -> bool:
    try:
        check_cluster(parse_cluster(document), NOW)
    except SpecError:
        return False
    return True


def pools_on_efa() -> st.SearchStrategy[Document]:
    """Drawn at random, hardly any pool would be one."""
    machines = st.sampled_from(["p4d.24xlarge", "p5.48xlarge", "p6-b300.48xlarge", "g6e.24xlarge"])
    return machines.map(lambda machine: pool(machine, name="fabric", **EFA))


@FEW
@given(
    st.lists(node_pools("aws", AWS_ZONES) | pools_on_efa(), min_size=1, max_size=2),
    some_of({"storage": storage(AWS_ZONES), "protect": st.booleans()}, 2),
)
def test_every_plan_that_is_taken_keeps_the_invariants(
    pools: list[Document], more: Document
) -> None:
    document = aws(*pools) | more
    assume(accepted(document))
    declared = declare(document)
    cluster = declared.only("aws:eks/cluster:Cluster", "prod")
    assert cluster["vpcConfig"]["endpointPrivateAccess"] is True
    assert cluster["vpcConfig"]["endpointPublicAccess"] is False
    assert cluster["encryptionConfig"]["resources"] == ["secrets"]
    _check_tags(declared)
    for template in declared.of(TEMPLATE).values():
        assert {each["ebs"]["encrypted"] for each in template["blockDeviceMappings"]} == {"true"}
        assert template["metadataOptions"]["httpTokens"] == "required"
    for resolved in check_cluster(parse_cluster(document), NOW):
        if not resolved.pool.elastic:
            _check_pool(resolved, declared)


def _check_tags(declared: Declarations) -> None:
    for each in declared.resources:
        if each.type.startswith("aws:") and each.type not in UNTAGGED:
            assert each.inputs["tags"]["tidegate-cluster"] == "prod", each.urn
            assert each.inputs["tags"]["owner"] == "platform", each.urn


def _check_pool(resolved: ResolvedPool, declared: Declarations) -> None:
    group: dict[str, Any] = declared.only(NODE_GROUP, resolved.name)
    assert {each["key"] for each in group["taints"]} >= {"nvidia.com/gpu", "tidegate.dev/purpose"}
    private = {f"prod-private-{zone}-id" for zone in resolved.zones}
    assert set(group["subnetIds"]) == private
    interfaces = declared.only(TEMPLATE, resolved.name)["networkInterfaces"]
    fabric = [each for each in interfaces if each["interfaceType"] == "efa-only"]
    wanted = resolved.machine.efa[0].count if resolved.pool.fabric.kind == "efa" else 0
    if resolved.pool.fabric.interfaces is not None:
        wanted = resolved.pool.fabric.interfaces
    assert len(fabric) == wanted
    assert len(interfaces) == wanted + 1
