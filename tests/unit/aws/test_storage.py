"""FSx for Lustre: whom it reaches, what it needs first, and the bucket that it is linked to."""

import json
from typing import Any

import pytest

from tests.unit.aws.declared import Declarations, declare
from tests.unit.spec.cluster_documents import aws, pool

pytestmark = pytest.mark.unit

FILES = "aws:fsx/lustreFileSystem:LustreFileSystem"
LINK = "aws:fsx/dataRepositoryAssociation:DataRepositoryAssociation"
KEY = "aws:kms/key:Key"
RULES = tuple(
    f"aws:vpc/securityGroup{kind}Rule:SecurityGroup{kind}Rule" for kind in ("Ingress", "Egress")
)
ZONE = "us-east-2a"
LUSTRE = {"kind": "fsxLustre", "capacityGib": 19200, "throughput": 250, "zone": ZONE}
COLD = {"kind": "bucket", "namePrefix": "releases"}


def with_lustre(**changes: Any) -> Declarations:
    fabric = pool("p5.48xlarge", zones=[ZONE], fabric={"kind": "efa"})
    return declare(aws(fabric, storage={"hot": LUSTRE | changes, "cold": COLD}))


@pytest.mark.parametrize("efa", [False, True])
def test_servers_may_call_each_other_before_they_are_made(efa: bool) -> None:
    declared = with_lustre(efa=efa)
    needs = declared.registration(FILES, "hot").dependencies
    ingress, egress = (declared.urns_of(each) for each in RULES)
    assert {ingress["hot-itself-988"], egress["hot-out-itself-988"]} <= needs
    if efa:
        assert {ingress["hot-efa-itself"], egress["hot-efa-itself"]} <= needs


def test_over_efa_both_sides_name_each_other() -> None:
    declared = with_lustre(efa=True)
    for kind in RULES:
        servers, clients = (declared.only(kind, f"hot-efa-{each}") for each in ("fabric", "back"))
        assert servers["securityGroupId"] == clients["referencedSecurityGroupId"] == "prod-hot-id"
        assert clients["securityGroupId"] == servers["referencedSecurityGroupId"]
        assert clients["securityGroupId"] == "prod-fabric-id"
        assert servers["ipProtocol"] == clients["ipProtocol"] == "-1"


def test_files_linked_to_a_bucket_may_use_its_key() -> None:
    declared = with_lustre(repositoryPrefix="checkpoints")
    assert "policy" not in declared.only(KEY, "secrets")
    owner, files = json.loads(declared.only(KEY, "storage")["policy"])["Statement"]
    account = "arn:aws:iam::123456789012"
    assert (owner["Principal"], owner["Action"]) == ({"AWS": f"{account}:root"}, "kms:*")
    assert "kms:GenerateDataKey*" in files["Action"]
    condition = files["Condition"]
    assert condition["StringEquals"] == {
        "kms:CallerAccount": "123456789012",
        "kms:ViaService": "s3.us-east-2.amazonaws.com",
    }
    roles = f"{account}:role/aws-service-role/s3.data-source.lustre.fsx.amazonaws.com/*"
    assert condition["ArnLike"] == {"aws:PrincipalArn": roles}
    encryption = "aws:s3/bucketServerSideEncryptionConfiguration:"
    needs = declared.registration(LINK, "hot").dependencies
    assert any(encryption in each for each in needs)


def test_a_key_without_a_link_is_iam_s_alone() -> None:
    assert "policy" not in with_lustre().only(KEY, "storage")
