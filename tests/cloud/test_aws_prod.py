"""The production stack: what every cluster must have, and that it cannot be deleted by mistake."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.cloud.harness.cloud_store import CloudObject
from tests.cloud.harness.project import CloudProject
from tests.cloud.harness.sdk_shapes import Sdk
from tests.cloud.harness.stacks import change_pool

pytestmark = pytest.mark.cloud

NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
OWNERSHIP = {
    "owner": "platform",
    "team": "inference",
    "environment": "prod",
    "model": "shared",
    "managed-by": "tidegate",
    "tidegate-cluster": "tidegate-prod",
}
# EFA interfaces of a node, as AWS publishes them
# (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa-acc-inst-types.html).
EFA_OF_POOL = {"l40s": 0, "h100": 32, "b300": 16}


@pytest.fixture(scope="module")
def prod(make_cloud: Callable[..., CloudProject]) -> CloudProject:
    project = make_cloud(stack="aws-prod")
    project.up(checkpoints=False)
    return project


def test_everything_that_takes_tags_is_tagged(prod: CloudProject, sdk_cache: Any) -> None:
    sdk = Sdk("aws", sdk_cache)
    for each in prod.cloud.objects():
        shape = sdk.resource(each.type) if each.type.startswith("aws:") else None
        if shape is not None and "tags" in shape.inputs.fields:
            assert each.tags.items() >= OWNERSHIP.items(), each.key


def test_nodes_with_gpus_are_tainted(prod: CloudProject) -> None:
    for pool in EFA_OF_POOL:
        taints = {each["key"]: each["effect"] for each in _of(prod, NODE_GROUP, pool)["taints"]}
        assert taints["nvidia.com/gpu"] == "NO_SCHEDULE"
    training = _of(prod, NODE_GROUP, "b300")["taints"]
    assert {"key": "tidegate.dev/purpose", "value": "training", "effect": "NO_SCHEDULE"} in training


def test_nodes_have_every_efa_interface(prod: CloudProject) -> None:
    for pool, count in EFA_OF_POOL.items():
        interfaces = _of(prod, TEMPLATE, pool)["networkInterfaces"]
        efa = [each for each in interfaces if each["interfaceType"] == "efa-only"]
        assert len(efa) == count
        assert [each["networkCardIndex"] for each in interfaces].count(0) <= 2
        groups = {len(each["securityGroups"]) for each in interfaces}
        assert groups == ({2} if count else {1})


def test_disks_are_encrypted_and_the_metadata_service_asks_for_a_token(prod: CloudProject) -> None:
    for template in prod.cloud.objects(TEMPLATE):
        disks = [each["ebs"] for each in template.inputs["blockDeviceMappings"]]
        assert [each["encrypted"] for each in disks] == ["true"]
        assert template.inputs["metadataOptions"]["httpTokens"] == "required"
    (lustre,) = prod.cloud.objects("aws:fsx/lustreFileSystem:LustreFileSystem")
    (shared,) = prod.cloud.objects("aws:efs/fileSystem:FileSystem")
    assert lustre.inputs["kmsKeyId"] == shared.inputs["kmsKeyId"]
    assert lustre.inputs["efaEnabled"] is True


def test_the_control_plane_is_private_encrypted_and_audited(prod: CloudProject) -> None:
    (cluster,) = prod.cloud.objects("aws:eks/cluster:Cluster")
    network = cluster.inputs["vpcConfig"]
    assert (network["endpointPrivateAccess"], network["endpointPublicAccess"]) == (True, False)
    assert cluster.inputs["encryptionConfig"]["resources"] == ["secrets"]
    assert cluster.inputs["accessConfig"]["authenticationMode"] == "API"
    assert "audit" in cluster.inputs["enabledClusterLogTypes"]
    assert cluster.inputs["deletionProtection"] is True


def test_the_administrators_of_the_plan_get_in(prod: CloudProject) -> None:
    (entry,) = prod.cloud.objects("aws:eks/accessEntry:AccessEntry")
    (access,) = prod.cloud.objects("aws:eks/accessPolicyAssociation:AccessPolicyAssociation")
    assert entry.inputs["principalArn"] == access.inputs["principalArn"]
    assert prod.declared()["config"]["tidegate:cluster"]["admins"] == [entry.inputs["principalArn"]]
    assert access.inputs["policyArn"].endswith("/AmazonEKSClusterAdminPolicy")


def test_nodes_have_no_public_address_and_reach_aws_inside(prod: CloudProject) -> None:
    subnets = prod.cloud.objects("aws:ec2/subnet:Subnet")
    assert not any(each.inputs["mapPublicIpOnLaunch"] for each in subnets)
    private = {each.id for each in subnets if "-private-" in each.name}
    for group in prod.cloud.objects(NODE_GROUP):
        assert set(group.inputs["subnetIds"]) <= private
    endpoints = prod.cloud.objects("aws:ec2/vpcEndpoint:VpcEndpoint")
    services = {each.inputs["serviceName"].rpartition("us-east-1.")[2] for each in endpoints}
    assert services >= {"s3", "ecr.api", "ecr.dkr", "sts", "ec2"}


def test_the_release_bucket_is_versioned_locked_and_closed(prod: CloudProject) -> None:
    def part(kind: str) -> dict[str, Any]:
        (found,) = prod.cloud.objects(f"aws:s3/{kind[0].lower()}{kind[1:]}:{kind}")
        return found.inputs

    assert part("Bucket")["objectLockEnabled"] is True
    assert part("BucketVersioning")["versioningConfiguration"]["status"] == "Enabled"
    closed = part("BucketPublicAccessBlock")
    assert all(value is True for name, value in closed.items() if name != "bucket")
    (statement,) = json.loads(part("BucketPolicy")["policy"])["Statement"]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    rule = part("BucketServerSideEncryptionConfiguration")["rules"][0]
    assert rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"] == "aws:kms"
    retention = part("BucketObjectLockConfiguration")["rule"]["defaultRetention"]
    assert retention == {"mode": "GOVERNANCE", "days": 30}


def test_outputs_hold_no_secret_and_feed_a_platform(prod: CloudProject) -> None:
    outputs = prod.outputs()
    kubeconfig = json.loads(outputs["kubeconfig"])
    (user,) = kubeconfig["users"]
    assert set(user["user"]) == {"exec"}
    assert [each["name"] for each in outputs["pools"]] == list(EFA_OF_POOL)
    assert outputs["storageClasses"] == {
        "hot": "tidegate-hot",
        "warm": "tidegate-warm",
        "cold": "tidegate-cold",
    }
    assert outputs["releaseBucketUrl"].startswith("s3://tidegate-prod-releases-")
    assert outputs["gpuOperatorValues"]["driver"] == {"enabled": False}


def test_production_stays_grows_and_changes_its_machines_in_place(prod: CloudProject) -> None:
    assert not prod.up(checkpoints=False).changes
    groups = {each.name: each.id for each in prod.cloud.objects(NODE_GROUP)}
    change_pool(prod, "b300", nodes={"min": 0, "max": 8})
    change_pool(prod, "l40s", machineType="g6e.24xlarge")
    prod.up(checkpoints=False)
    assert {each.name: each.id for each in prod.cloud.objects(NODE_GROUP)} == groups
    assert _of(prod, NODE_GROUP, "b300")["scalingConfig"]["maxSize"] == 8
    assert _of(prod, TEMPLATE, "l40s")["instanceType"] == "g6e.24xlarge"


def test_what_holds_data_survives_a_destroy(prod: CloudProject) -> None:
    run = prod.start("destroy", "--yes", "--skip-preview", "--stack", prod.stack).wait()
    assert not run.succeeded
    assert "protected" in run.output
    prod.unprotect()
    prod.destroy(checkpoints=False)
    assert {each.type for each in prod.cloud.objects()} == {
        "aws:ecr/repository:Repository",
        "aws:efs/fileSystem:FileSystem",
        "aws:eks/cluster:Cluster",
        "aws:fsx/lustreFileSystem:LustreFileSystem",
        "aws:kms/key:Key",
        "aws:s3/bucket:Bucket",
    }


def _of(project: CloudProject, type_token: str, pool: str) -> dict[str, Any]:
    found: list[CloudObject] = [
        each for each in project.cloud.objects(type_token) if each.name == f"tidegate-prod-{pool}"
    ]
    assert len(found) == 1, pool
    return found[0].inputs
