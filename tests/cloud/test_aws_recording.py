"""The stand-in for AWS: it is strict where AWS is, so that a green test means something."""

from collections.abc import Callable

import pytest

from tests.cloud.harness.faults import Fault
from tests.cloud.harness.project import CloudProject

pytestmark = pytest.mark.cloud

PROGRAM = """
import pulumi
import pulumi_aws as aws

key = aws.kms.Key("key", tags={"tidegate-cluster": "x"})
repository = aws.ecr.Repository("images", name="team/images")
pulumi.export("arn", key.arn)
"""
MISTAKES = """
import pulumi_aws as aws

aws.eks.NodeGroup(
    "group",
    cluster_name="c",
    node_role_arn="r",
    subnet_ids=["s"],
    disk_size="large",
    scaling_config={"max_size": 1, "min_size": 0},
    launch_template={"name": "t", "version": "1", "versions": "1"},
)
"""

OVERLAP = """
import pulumi_aws as aws

for name in ("one", "other"):
    aws.ec2.Subnet(name, vpc_id="vpc-1", cidr_block="10.0.0.0/24")
"""


@pytest.fixture(scope="module")
def project(make_cloud: Callable[..., CloudProject]) -> CloudProject:
    return make_cloud(program=PROGRAM)


def test_inputs_are_checked_against_the_sdk(project: CloudProject) -> None:
    project.write_program(MISTAKES)
    output = project.preview(expect_failure=True).output
    assert "diskSize: string given, int wanted" in output
    assert "launchTemplate.versions: unknown property" in output
    assert "(near: version)" in output
    assert "scalingConfig.desiredSize: required by NodeGroupScalingConfigArgs, absent" in output


def test_a_lost_plugin_leaves_an_orphan(project: CloudProject) -> None:
    project.write_program(PROGRAM)
    project.fault(Fault("create", "loseAnswer", name="key"))
    project.start_up("--parallel", "1").wait()
    assert [each.name for each in project.cloud.orphans(project.resources())] == ["key"]


def test_what_has_its_name_already_is_refused_and_can_be_imported(project: CloudProject) -> None:
    project.fault(Fault("create", "loseAnswer", name="images"))
    project.up(expect_failure=True)
    project.fault()
    assert "team/images of aws:ecr/repository" in project.up(expect_failure=True).output
    project.adopt("aws:ecr/repository:Repository", "images", "team/images")
    project.up()
    types = [each.type for each in project.cloud.orphans(project.resources())]
    assert types == ["aws:kms/key:Key"]  # the one of the test before


def test_what_is_gone_is_seen_by_a_refresh(project: CloudProject) -> None:
    (images,) = project.cloud.objects("aws:ecr/repository:Repository")
    project.cloud.remove(images.type, images.id)
    assert "1 created" in project.start_up("--refresh").wait().output


def test_a_range_of_addresses_is_given_once(project: CloudProject) -> None:
    project.write_program(OVERLAP)
    assert "of aws:ec2/subnet:Subnet already exists" in project.up(expect_failure=True).output
    assert len(project.cloud.objects("aws:ec2/subnet:Subnet")) == 1
