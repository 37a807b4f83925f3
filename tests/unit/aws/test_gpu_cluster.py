"""The cluster as a whole: refusals, access, what runs inside, who may do what."""

import json
from typing import Any

import pytest
import yaml

from tests.unit.aws.declared import NODE_GROUP, RELEASE, declare
from tests.unit.spec.cluster_documents import aws, gcp, pool, resolved
from tidegate.aws.addon_versions import addon_versions
from tidegate.aws.cluster import kubeconfig
from tidegate.aws.gpu_cluster import GpuClusterArgs
from tidegate.aws.gpu_operator import gpu_operator_values
from tidegate.aws.karpenter_policy import controller_statements
from tidegate.aws.volumes import storage_classes
from tidegate.spec.cluster_plan import parse_cluster
from tidegate.spec.errors import SpecError
from tidegate.spec.storage_tiers import Efs, LocalNvme, StorageTiers
from tidegate.spec.workload_identity import WorkloadIdentity

pytestmark = pytest.mark.unit

CLUSTER = "aws:eks/cluster:Cluster"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
ADDON = "aws:eks/addon:Addon"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
RUNNER = WorkloadIdentity(namespace="inference", service_account="runner", access="append")
COLD = {"cold": {"kind": "bucket", "namePrefix": "releases"}}
SERVES = {"purpose": "inference"}
L4 = {"name": "l4", "purpose": "inference", "nodes": {"min": 0, "max": 4}}


def test_a_plan_that_cannot_work_declares_nothing() -> None:
    with pytest.raises(SpecError, match="efa"):
        declare(aws(pool("g6.xlarge", fabric={"kind": "efa"})))


def test_workloads_need_a_bucket() -> None:
    with pytest.raises(SpecError, match=r"storage\.cold"):
        GpuClusterArgs(plan=parse_cluster(aws()), workloads=[RUNNER])


def test_a_plan_of_another_cloud_is_refused() -> None:
    with pytest.raises(SpecError, match=r"tidegate\.gcp\.gpu_cluster"):
        GpuClusterArgs(plan=parse_cluster(gcp()))


def test_a_service_account_has_one_access() -> None:
    with pytest.raises(SpecError, match="each service account once"):
        GpuClusterArgs(plan=parse_cluster(aws(storage=COLD)), workloads=[RUNNER, RUNNER])


def test_versions_that_nobody_pinned_are_refused_unless_they_are_given() -> None:
    with pytest.raises(SpecError, match="addonVersions"):
        addon_versions("1.31", {})
    given = {"coredns": "v1.11.4-eksbuild.2", "kube-proxy": "v1.31.10-eksbuild.2"}
    assert addon_versions("1.31", given).items() >= given.items()


def test_every_addon_is_pinned() -> None:
    addons = declare(aws(storage={**COLD, "warm": {"kind": "efs"}})).of(ADDON)
    names = {each["addonName"] for each in addons.values()}
    assert names >= {"vpc-cni", "coredns", "eks-pod-identity-agent", "eks-node-monitoring-agent"}
    assert names >= {"aws-efs-csi-driver", "aws-mountpoint-s3-csi-driver"}
    assert all("-eksbuild." in each["addonVersion"] for each in addons.values())


def test_addons_run_on_the_tainted_nodes_of_gpus() -> None:
    addons = declare(aws(storage={**COLD, "warm": {"kind": "efs"}})).of(ADDON)
    told = {each["addonName"]: each.get("configurationValues", "{}") for each in addons.values()}
    everything = [{"operator": "Exists"}]
    monitoring = json.loads(told["eks-node-monitoring-agent"])
    assert monitoring == {"dcgmAgent": {"tolerations": everything}}
    assert json.loads(told["aws-efs-csi-driver"]) == {"node": {"tolerations": everything}}
    for driver in ("aws-ebs-csi-driver", "aws-mountpoint-s3-csi-driver"):
        assert json.loads(told[driver])["node"] == {"tolerateAllTaints": True}


def test_pods_volumes_carry_the_cluster_s_tags() -> None:
    addon = declare(aws()).only(ADDON, "rest-aws-ebs-csi-driver")
    tags = json.loads(addon["configurationValues"])["controller"]["extraVolumeTags"]
    assert tags["tidegate-cluster"] == "prod"
    assert tags["owner"] == "platform"


def test_the_api_is_reached_from_outside_by_those_who_are_named_alone() -> None:
    closed = declare(aws()).only(CLUSTER, "prod")["vpcConfig"]
    assert closed["endpointPublicAccess"] is False
    opened = declare(aws(adminCidrs=["203.0.113.0/24"])).only(CLUSTER, "prod")["vpcConfig"]
    assert opened["publicAccessCidrs"] == ["203.0.113.0/24"]
    assert opened["endpointPrivateAccess"] is True


def test_networks_joined_to_the_cluster_s_own_reach_the_private_api() -> None:
    declared = declare(aws(privateAdminCidrs=["10.9.0.0/16"]))
    rule = declared.only(INGRESS, "api-10.9.0.0-16")
    assert (rule["cidrIpv4"], rule["fromPort"], rule["toPort"]) == ("10.9.0.0/16", 443, 443)
    assert declared.only(CLUSTER, "prod")["vpcConfig"]["endpointPublicAccess"] is False


def test_a_local_zone_has_nodes_of_pools_alone() -> None:
    local = "us-east-1-dfw-2a"
    zones = {"region": "us-east-1", "zones": ["us-east-1a", "us-east-1b", local]}
    storage = {"storage": {"warm": {"kind": "efs"}}}
    declared = declare(aws(pool("p5.48xlarge", zones=[local]), **zones, **storage))
    regional = {"prod-private-us-east-1a-id", "prod-private-us-east-1b-id"}
    assert set(declared.only(CLUSTER, "prod")["vpcConfig"]["subnetIds"]) == regional
    assert set(declared.only(NODE_GROUP, "system")["subnetIds"]) == regional
    assert declared.only(NODE_GROUP)["subnetIds"] == [f"prod-private-{local}-id"]
    assert set(declared.only("aws:ec2/vpcEndpoint:VpcEndpoint", "ec2")["subnetIds"]) == regional
    targets = declared.of("aws:efs/mountTarget:MountTarget").values()
    assert {each["subnetId"] for each in targets} == regional
    private = {f"private-{zone}" for zone in zones["zones"] if zone != local}
    assert set(declared.of("aws:ec2/eip:Eip")) == private
    assert set(declared.of("aws:ec2/natGateway:NatGateway")) == private
    subnets = {name for name in declared.of("aws:ec2/subnet:Subnet") if local in name}
    assert subnets == {f"private-{local}"}
    tables = declared.of("aws:ec2/routeTable:RouteTable")
    assert tables[f"private-{local}"]["routes"] == tables["private-us-east-1a"]["routes"]


def test_nat_gateways_come_after_the_way_to_the_internet() -> None:
    declared = declare(aws())
    (gateway,) = declared.urns_of("aws:ec2/internetGateway:InternetGateway").values()
    assert (
        gateway
        in declared.registration("aws:ec2/natGateway:NatGateway", "private-us-east-2a").dependencies
    )


def test_the_bucket_s_driver_starts_with_its_identity() -> None:
    declared = declare(aws(storage=COLD))
    identities = declared.urns_of("aws:eks/podIdentityAssociation:PodIdentityAssociation")
    needs = declared.registration(ADDON, "rest-aws-mountpoint-s3-csi-driver").dependencies
    assert identities["kube-system-s3-csi-driver-sa"] in needs


@pytest.mark.parametrize(
    ("machine", "image"),
    [
        (None, "AL2023_x86_64_STANDARD"),
        ("m7i-flex.xlarge", "AL2023_x86_64_STANDARD"),
        ("m7g.xlarge", "AL2023_ARM_64_STANDARD"),
    ],
)
def test_system_nodes_have_the_image_of_their_processor(machine: str | None, image: str) -> None:
    declared = declare(aws(system={"machineType": machine}))
    assert declared.only(NODE_GROUP, "system")["amiType"] == image


def test_a_workload_s_role_has_a_name_that_iam_takes() -> None:
    long = WorkloadIdentity(namespace="n" * 30, service_account="s" * 24)
    with pytest.raises(SpecError, match="together at most 50 characters"):
        GpuClusterArgs(plan=parse_cluster(aws(storage=COLD)), workloads=[long])


def test_the_kubeconfig_asks_for_a_token_and_holds_none() -> None:
    content = json.loads(kubeconfig("prod", "https://api.test", "Y2E=", "us-east-2"))
    (user,) = content["users"]
    assert user["user"]["exec"]["args"][-2:] == ["--cluster-name", "prod"]
    assert set(user["user"]) == {"exec"}


def test_elastic_pools_are_karpenters_and_have_no_node_group() -> None:
    declared = declare(aws(pool("g6.12xlarge", **{**L4, "elastic": True})))
    assert list(declared.of(NODE_GROUP)) == ["system"]
    nodes = declared.only("kubernetes:karpenter.sh/v1:NodePool", "karpenter-l4-nodepool")["spec"]
    assert nodes["limits"] == {"nvidia.com/gpu": "16"}
    taints = nodes["template"]["spec"]["taints"]
    assert {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"} in taints
    node_class = declared.only(
        "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass", "karpenter-l4-ec2nodeclass"
    )["spec"]
    assert node_class["metadataOptions"]["httpTokens"] == "required"
    assert node_class["tags"]["tidegate-cluster"] == "prod"
    release = declared.only(RELEASE, "karpenter")
    assert release["version"] == "1.14.0"
    assert release["values"]["settings"]["featureGates"] == {"nodeRepair": True}


@pytest.mark.parametrize(
    ("family", "sizes"),
    [
        ("al2023", {"/dev/xvda": "200Gi"}),
        ("bottlerocket", {"/dev/xvdb": "200Gi", "/dev/xvda": "4Gi"}),
    ],
)
def test_every_disk_of_elastic_nodes_is_encrypted(family: str, sizes: dict[str, str]) -> None:
    image = {"image": {"family": family}}
    declared = declare(aws(pool("g6.12xlarge", **{**L4, "elastic": True, **image})))
    node_class = declared.only(
        "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass", "karpenter-l4-ec2nodeclass"
    )["spec"]
    disks = {each["deviceName"]: each["ebs"] for each in node_class["blockDeviceMappings"]}
    assert {name: each["volumeSize"] for name, each in disks.items()} == sizes
    assert all(each["encrypted"] is True for each in disks.values())


@pytest.mark.parametrize(
    ("exposure", "chart"),
    [("devicePlugin", "aws-efa-k8s-device-plugin"), ("dra", "aws-dranet")],
)
def test_pods_get_efa_in_the_way_that_the_plan_says(exposure: str, chart: str) -> None:
    fabric = {"kind": "efa", "exposure": exposure}
    declared = declare(aws(pool("p5.48xlarge", zones=["us-east-2a"], fabric=fabric)))
    release = declared.only(RELEASE, chart)
    tolerated = {each["key"] for each in release["values"]["tolerations"]}
    assert tolerated == {"nvidia.com/gpu", "tidegate.dev/purpose"}


def test_no_node_has_two_drivers_of_efa() -> None:
    zone = {"zones": ["us-east-2a"]}
    plugin = pool("p5.48xlarge", name="plugin", fabric={"kind": "efa"}, **zone)
    claims = pool(
        "p5en.48xlarge",
        name="claims",
        fabric={"kind": "efa", "exposure": "dra"},
        taints=[{"key": "acme.com/claims"}],
        **zone,
    )
    declared = declare(aws(plugin, claims, pool("p5.48xlarge", name="plain")))
    for chart, name, extra in (
        ("aws-efa-k8s-device-plugin", "plugin", set()),
        ("aws-dranet", "claims", {"acme.com/claims"}),
    ):
        told = declared.only(RELEASE, chart)["values"]
        tolerated = {each["key"] for each in told["tolerations"]}
        assert tolerated == {"nvidia.com/gpu", "tidegate.dev/purpose"} | extra
        assert told["supportedInstanceLabels"] == {"keys": ["tidegate.dev/pool"], "values": [name]}


def test_a_workload_that_appends_reads_and_replaces_nothing() -> None:
    declared = declare(aws(storage=COLD), RUNNER)
    statements = _statements(declared.only(ROLE_POLICY, "inference-runner")["policy"])
    writes = [each for each in statements if "s3:PutObject" in each["Action"]]
    assert [each["Condition"] for each in writes] == [{"StringEquals": {"s3:if-none-match": "*"}}]
    actions = {each for statement in statements for each in statement["Action"]}
    assert actions >= {"s3:GetObject", "s3:ListBucket", "kms:GenerateDataKey"}
    assert not any("Delete" in each for each in actions)


def test_those_who_administer_the_cluster_have_an_entry_each() -> None:
    admin = "arn:aws-us-gov:iam::123456789012:role/teams/platform"
    region = {"region": "us-gov-west-1", "zones": ["us-gov-west-1a", "us-gov-west-1b"]}
    declared = declare(aws(admins=[admin], **region))
    name = "123456789012-role-teams-platform"
    assert declared.only("aws:eks/accessEntry:AccessEntry", name)["principalArn"] == admin
    access = declared.only("aws:eks/accessPolicyAssociation:AccessPolicyAssociation", name)
    assert access["principalArn"] == admin
    assert access["accessScope"] == {"type": "cluster"}
    assert access["policyArn"] == (
        "arn:aws-us-gov:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
    )
    attached = declared.of("aws:iam/rolePolicyAttachment:RolePolicyAttachment").values()
    assert {each["policyArn"].split(":")[1] for each in attached} == {"aws-us-gov"}


@pytest.mark.parametrize("lock_days", [None, 30])
def test_models_are_cached_on_nodes_and_checkpoints_can_be_replaced(lock_days: int | None) -> None:
    storage = {"cold": {**COLD["cold"], "lockDays": lock_days}}
    declared = declare(aws(storage=storage))
    volumes = declared.of("kubernetes:core/v1:PersistentVolume")
    models = volumes["volumes-tidegate-models"]["spec"]
    assert models["csi"]["volumeAttributes"]["cache"] == "emptyDir"
    assert "read-only" in models["mountOptions"]
    statements = _statements(declared.only(ROLE_POLICY, "kube-system-s3-csi-driver-sa")["policy"])
    written = [each["Resource"] for each in statements if "s3:PutObject" in each["Action"]]
    if lock_days is not None:
        assert "volumes-tidegate-checkpoints" not in volumes
        assert written == []
        return
    checkpoints = volumes["volumes-tidegate-checkpoints"]["spec"]
    assert checkpoints["accessModes"] == ["ReadWriteMany"]
    assert set(checkpoints["mountOptions"]) >= {"allow-overwrite", "prefix checkpoints/"}
    ((resource,),) = written
    assert resource.endswith("/checkpoints/*")


def test_the_gpu_operator_is_told_how_gpus_are_divided_and_shared() -> None:
    divided = pool("p5.4xlarge", name="parts", sharing={"migProfile": "1g.10gb"}) | SERVES
    shared = pool("g6.12xlarge", sharing={"strategy": "mps", "clients": 4}) | SERVES
    pools = resolved(aws(divided, shared))
    assert [each.labels.get("nvidia.com/mig.config") for each in pools] == ["all-1g.10gb", None]
    assert pools[1].labels["nvidia.com/device-plugin.config"] == "mps-4"
    values = gpu_operator_values(pools)
    config = values["devicePlugin"]["config"]
    told = yaml.safe_load(config["data"]["mps-4"])
    assert told["sharing"]["mps"]["resources"] == [{"name": "nvidia.com/gpu", "replicas": 4}]
    assert config["default"] in config["data"]
    tolerated = {each["key"] for each in values["daemonsets"]["tolerations"]}
    assert tolerated == {"nvidia.com/gpu", "tidegate.dev/purpose"}
    assert (values["driver"], values["toolkit"]) == ({"enabled": False}, {"enabled": False})


def test_karpenter_ends_only_what_the_cluster_owns() -> None:
    for statement in controller_statements("prod", "arn:c", "arn:r", "arn:q", "us-east-2"):
        if any("Terminate" in each or "Delete" in each for each in statement["Action"]):
            queue = statement["Resource"] == ["arn:q"]
            assert queue or "kubernetes.io/cluster/prod" in json.dumps(statement["Condition"])


def test_the_nodes_own_disks_have_no_storage_class() -> None:
    assert storage_classes(StorageTiers(hot=LocalNvme(), warm=Efs())) == {"warm": "tidegate-warm"}


def _statements(policy: str) -> list[dict[str, Any]]:
    return list(json.loads(policy)["Statement"])
