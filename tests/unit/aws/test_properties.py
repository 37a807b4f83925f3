"""Over many plans: whatever is not refused is declared, private, encrypted, tagged and tainted."""

import json
from ipaddress import IPv4Network
from itertools import combinations
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.cloud.judges.test_efa_interfaces import PUBLISHED, PUBLISHED_ALSO
from tests.unit.aws.declared import NODE_GROUP, TEMPLATE, Declarations, declare
from tests.unit.spec.cluster_documents import NOW, Document, aws
from tests.unit.spec.drawn_documents import (
    AWS_ZONES,
    at_random,
    elastic_pools,
    node_pools,
    pools_on_efa,
    repeatable,
    some_of,
    storage,
    usual_networks,
)
from tidegate.spec.cluster_plan import parse_cluster
from tidegate.spec.cluster_rules import check_cluster
from tidegate.spec.errors import SpecError
from tidegate.spec.resolved_pool import PURPOSE_LABEL, ResolvedPool

pytestmark = pytest.mark.unit

KARPENTER_POOL = "kubernetes:karpenter.sh/v1:NodePool"
NODE_CLASS = "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass"
SUBNET = "aws:ec2/subnet:Subnet"
UNTAGGED = {
    "aws:autoscaling/schedule:Schedule",
    "aws:cloudwatch/eventTarget:EventTarget",
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "aws:ecr/lifecyclePolicy:LifecyclePolicy",
    "aws:efs/backupPolicy:BackupPolicy",
    "aws:efs/mountTarget:MountTarget",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
    "aws:s3/bucketPolicy:BucketPolicy",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:s3/bucketVersioning:BucketVersioning",
    "aws:sqs/queuePolicy:QueuePolicy",
}
"""Types of AWS's without tags."""


def accepted(document: Document) -> bool:
    try:
        check_cluster(parse_cluster(document), NOW)
    except SpecError:
        return False
    return True


PLANS = st.builds(
    lambda pools, more: aws(*pools) | more,
    st.lists(
        node_pools("aws", AWS_ZONES) | pools_on_efa() | elastic_pools(), min_size=1, max_size=2
    ),
    some_of(
        {"storage": storage(AWS_ZONES), "network": usual_networks(), "protect": st.booleans()}, 3
    ),
)


@repeatable(15)
@given(PLANS)
def test_every_plan_that_is_taken_keeps_the_invariants(document: Document) -> None:
    _check(document)


@pytest.mark.extended
@pytest.mark.timeout(900)
@at_random(400)
@given(PLANS)
def test_many_plans_that_are_taken_keep_the_invariants(document: Document) -> None:
    _check(document)


def _check(document: Document) -> None:
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
    _check_network(declared)
    _check_buckets(declared)
    for resolved in check_cluster(parse_cluster(document), NOW):
        check = _check_elastic if resolved.pool.elastic else _check_pool
        check(resolved, declared)


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
    fabric = [
        (each["networkCardIndex"], each["deviceIndex"])
        for each in interfaces
        if each["interfaceType"] == "efa-only"
    ]
    name, settings = resolved.machine.name, resolved.pool.fabric
    wanted = PUBLISHED[name] if settings.kind == "efa" else []
    if settings.interfaces is not None and settings.interfaces != len(wanted):
        wanted = PUBLISHED_ALSO[name, settings.interfaces]
    assert fabric == wanted
    assert len(interfaces) == len(wanted) + 1


def _check_elastic(resolved: ResolvedPool, declared: Declarations) -> None:
    """Karpenter makes the nodes: what it is told must hold what a node group has."""
    made = declared.only(KARPENTER_POOL, f"karpenter-{resolved.name}-nodepool")["spec"]
    template = made["template"]["spec"]
    taints = {(each["key"], each["value"]) for each in template["taints"]}
    assert {("nvidia.com/gpu", "present"), (PURPOSE_LABEL, resolved.pool.purpose)} <= taints
    assert {each.key for each in resolved.pool.taints} <= {key for key, _ in taints}
    wanted = {each["key"]: list(each["values"]) for each in template["requirements"]}
    assert wanted["node.kubernetes.io/instance-type"] == [resolved.machine.name]
    assert wanted["topology.kubernetes.io/zone"] == list(resolved.zones)
    assert made["limits"]["nvidia.com/gpu"] == str(
        resolved.pool.nodes_max * resolved.machine.gpu.count
    )
    nodes = declared.only(NODE_CLASS, f"karpenter-{resolved.name}-ec2nodeclass")["spec"]
    assert template["nodeClassRef"]["name"] == resolved.name
    assert [each["ebs"]["encrypted"] for each in nodes["blockDeviceMappings"]] == [True]
    assert nodes["metadataOptions"]["httpTokens"] == "required"
    assert (nodes["tags"]["tidegate-cluster"], nodes["tags"]["owner"]) == ("prod", "platform")
    assert resolved.name not in declared.of(NODE_GROUP)


def _check_network(declared: Declarations) -> None:
    (network,) = declared.of("aws:ec2/vpc:Vpc").values()
    ranges = [IPv4Network(each["cidrBlock"]) for each in declared.of(SUBNET).values()]
    assert all(each.subnet_of(IPv4Network(network["cidrBlock"])) for each in ranges)
    assert not any(one.overlaps(other) for one, other in combinations(ranges, 2))


def _check_buckets(declared: Declarations) -> None:
    def of(kind: str) -> dict[str, Any]:
        found: dict[str, Any] = declared.only(f"aws:s3/bucket{kind}", "releases")
        return found

    if not declared.of("aws:s3/bucket:Bucket"):
        return
    closed = of("PublicAccessBlock:BucketPublicAccessBlock")
    flags = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    assert all(closed[each] for each in flags)
    assert of("Versioning:BucketVersioning")["versioningConfiguration"]["status"] == "Enabled"
    encryption = "ServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    (rule,) = of(encryption)["rules"]
    assert rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"] == "aws:kms"
    (tls, *_) = json.loads(of("Policy:BucketPolicy")["policy"])["Statement"]
    assert (tls["Effect"], tls["Principal"]) == ("Deny", "*")
    assert tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
