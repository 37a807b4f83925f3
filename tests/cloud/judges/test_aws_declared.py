"""Every enumerated value that clusters on AWS are declared with is one that its API takes.

Three tables by hand: what the API calls the values, which request makes a resource, and which texts
are called otherwise there, or are not in that request, and come from no enumeration. A declared
text that is in none of them fails, so that no new property goes unjudged. What the API's model
leaves open, such as the type of an access entry, nothing here can judge.
"""

import pytest

from tests.cloud.judges.aws_declarations import declared_texts
from tests.cloud.judges.declared_texts import Place
from tests.cloud.judges.service_models import shape_at, shapes, values

pytestmark = pytest.mark.cloud

# Type of the resource and property: service and enumeration.
ENUMERATIONS = {
    ("ec2/eip:Eip", "domain"): ("ec2", "DomainType"),
    ("ec2/launchTemplate:LaunchTemplate", "blockDeviceMappings.ebs.volumeType"): (
        ("ec2", "VolumeType")
    ),
    ("ec2/launchTemplate:LaunchTemplate", "instanceMarketOptions.marketType"): (
        ("ec2", "MarketType")
    ),
    ("ec2/launchTemplate:LaunchTemplate", "instanceType"): ("ec2", "InstanceType"),
    ("ec2/launchTemplate:LaunchTemplate", "metadataOptions.httpEndpoint"): (
        ("ec2", "LaunchTemplateInstanceMetadataEndpointState")
    ),
    ("ec2/launchTemplate:LaunchTemplate", "metadataOptions.httpTokens"): (
        ("ec2", "LaunchTemplateHttpTokensState")
    ),
    ("ec2/launchTemplate:LaunchTemplate", "networkInterfaces.interfaceType"): (
        ("ec2", "NetworkCardInterfaceType")
    ),
    ("ec2/launchTemplate:LaunchTemplate", "tagSpecifications.resourceType"): (
        ("ec2", "ResourceType")
    ),
    ("ec2/placementGroup:PlacementGroup", "strategy"): ("ec2", "PlacementStrategy"),
    ("ec2/vpcEndpoint:VpcEndpoint", "vpcEndpointType"): ("ec2", "VpcEndpointType"),
    ("ecr/repository:Repository", "encryptionConfigurations.encryptionType"): (
        ("ecr", "EncryptionType")
    ),
    ("ecr/repository:Repository", "imageTagMutability"): ("ecr", "ImageTagMutability"),
    ("efs/backupPolicy:BackupPolicy", "backupPolicy.status"): ("efs", "Status"),
    ("efs/fileSystem:FileSystem", "lifecyclePolicies.transitionToIa"): (
        ("efs", "TransitionToIARules")
    ),
    ("efs/fileSystem:FileSystem", "lifecyclePolicies.transitionToPrimaryStorageClass"): (
        ("efs", "TransitionToPrimaryStorageClassRules")
    ),
    ("efs/fileSystem:FileSystem", "throughputMode"): ("efs", "ThroughputMode"),
    ("eks/accessPolicyAssociation:AccessPolicyAssociation", "accessScope.type"): (
        ("eks", "AccessScopeType")
    ),
    ("eks/addon:Addon", "resolveConflictsOnCreate"): ("eks", "ResolveConflicts"),
    ("eks/addon:Addon", "resolveConflictsOnUpdate"): ("eks", "ResolveConflicts"),
    ("eks/cluster:Cluster", "accessConfig.authenticationMode"): ("eks", "AuthenticationMode"),
    ("eks/cluster:Cluster", "enabledClusterLogTypes"): ("eks", "LogType"),
    ("eks/cluster:Cluster", "kubernetesNetworkConfig.ipFamily"): ("eks", "IpFamily"),
    ("eks/cluster:Cluster", "upgradePolicy.supportType"): ("eks", "SupportType"),
    ("eks/nodeGroup:NodeGroup", "amiType"): ("eks", "AMITypes"),
    ("eks/nodeGroup:NodeGroup", "capacityType"): ("eks", "CapacityTypes"),
    ("eks/nodeGroup:NodeGroup", "taints.effect"): ("eks", "TaintEffect"),
    (
        "fsx/dataRepositoryAssociation:DataRepositoryAssociation",
        "s3.autoExportPolicy.events",
    ): ("fsx", "EventType"),
    (
        "fsx/dataRepositoryAssociation:DataRepositoryAssociation",
        "s3.autoImportPolicy.events",
    ): ("fsx", "EventType"),
    ("fsx/lustreFileSystem:LustreFileSystem", "deploymentType"): ("fsx", "LustreDeploymentType"),
    ("fsx/lustreFileSystem:LustreFileSystem", "metadataConfiguration.mode"): (
        ("fsx", "MetadataConfigurationMode")
    ),
    ("fsx/lustreFileSystem:LustreFileSystem", "storageType"): ("fsx", "StorageType"),
    (
        "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "rules.status",
    ): ("s3", "ExpirationStatus"),
    (
        "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "rules.transitions.storageClass",
    ): ("s3", "TransitionStorageClass"),
    (
        "s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        "rule.defaultRetention.mode",
    ): ("s3", "ObjectLockRetentionMode"),
    ("s3/bucketOwnershipControls:BucketOwnershipControls", "rule.objectOwnership"): (
        ("s3", "ObjectOwnership")
    ),
    (
        "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "rules.applyServerSideEncryptionByDefault.sseAlgorithm",
    ): ("s3", "ServerSideEncryption"),
    ("s3/bucketVersioning:BucketVersioning", "versioningConfiguration.status"): (
        ("s3", "BucketVersioningStatus")
    ),
}

# Service and shapes of the request that makes a resource.
REQUESTS = {
    "autoscaling/schedule:Schedule": ("autoscaling", "PutScheduledUpdateGroupActionType"),
    "cloudwatch/eventRule:EventRule": ("events", "PutRuleRequest"),
    "cloudwatch/eventTarget:EventTarget": ("events", "PutTargetsRequest", "Target"),
    "ec2/defaultSecurityGroup:DefaultSecurityGroup": ("ec2", "CreateSecurityGroupRequest"),
    "ec2/eip:Eip": ("ec2", "AllocateAddressRequest"),
    "ec2/internetGateway:InternetGateway": ("ec2", "AttachInternetGatewayRequest"),
    "ec2/launchTemplate:LaunchTemplate": ("ec2", "RequestLaunchTemplateData"),
    "ec2/natGateway:NatGateway": ("ec2", "CreateNatGatewayRequest"),
    "ec2/placementGroup:PlacementGroup": ("ec2", "CreatePlacementGroupRequest"),
    "ec2/routeTable:RouteTable": ("ec2", "CreateRouteTableRequest"),
    "ec2/routeTableAssociation:RouteTableAssociation": ("ec2", "AssociateRouteTableRequest"),
    "ec2/securityGroup:SecurityGroup": ("ec2", "CreateSecurityGroupRequest"),
    "ec2/subnet:Subnet": ("ec2", "CreateSubnetRequest"),
    "ec2/vpc:Vpc": ("ec2", "CreateVpcRequest"),
    "ec2/vpcEndpoint:VpcEndpoint": ("ec2", "CreateVpcEndpointRequest"),
    "ecr/lifecyclePolicy:LifecyclePolicy": ("ecr", "PutLifecyclePolicyRequest"),
    "ecr/repository:Repository": ("ecr", "CreateRepositoryRequest"),
    "efs/backupPolicy:BackupPolicy": ("efs", "PutBackupPolicyRequest"),
    "efs/fileSystem:FileSystem": ("efs", "CreateFileSystemRequest"),
    "efs/mountTarget:MountTarget": ("efs", "CreateMountTargetRequest"),
    "eks/accessEntry:AccessEntry": ("eks", "CreateAccessEntryRequest"),
    "eks/accessPolicyAssociation:AccessPolicyAssociation": ("eks", "AssociateAccessPolicyRequest"),
    "eks/addon:Addon": ("eks", "CreateAddonRequest"),
    "eks/cluster:Cluster": ("eks", "CreateClusterRequest"),
    "eks/nodeGroup:NodeGroup": ("eks", "CreateNodegroupRequest"),
    "eks/podIdentityAssociation:PodIdentityAssociation": (
        ("eks", "CreatePodIdentityAssociationRequest")
    ),
    "fsx/dataRepositoryAssociation:DataRepositoryAssociation": (
        ("fsx", "CreateDataRepositoryAssociationRequest")
    ),
    "fsx/lustreFileSystem:LustreFileSystem": (
        ("fsx", "CreateFileSystemRequest", "CreateFileSystemLustreConfiguration")
    ),
    "iam/role:Role": ("iam", "CreateRoleRequest"),
    "iam/rolePolicy:RolePolicy": ("iam", "PutRolePolicyRequest"),
    "iam/rolePolicyAttachment:RolePolicyAttachment": ("iam", "AttachRolePolicyRequest"),
    "kms/key:Key": ("kms", "CreateKeyRequest"),
    "s3/bucket:Bucket": ("s3", "CreateBucketRequest"),
    "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": (
        ("s3", "PutBucketLifecycleConfigurationRequest", "BucketLifecycleConfiguration")
    ),
    "s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": (
        ("s3", "PutObjectLockConfigurationRequest", "ObjectLockConfiguration")
    ),
    "s3/bucketOwnershipControls:BucketOwnershipControls": (
        ("s3", "PutBucketOwnershipControlsRequest", "OwnershipControls")
    ),
    "s3/bucketPolicy:BucketPolicy": ("s3", "PutBucketPolicyRequest"),
    "s3/bucketPublicAccessBlock:BucketPublicAccessBlock": ("s3", "PutPublicAccessBlockRequest"),
    "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        ("s3", "PutBucketEncryptionRequest", "ServerSideEncryptionConfiguration")
    ),
    "s3/bucketVersioning:BucketVersioning": ("s3", "PutBucketVersioningRequest"),
    "sqs/queuePolicy:QueuePolicy": ("sqs", "SetQueueAttributesRequest"),
    "vpc/securityGroupEgressRule:SecurityGroupEgressRule": ("ec2", "IpPermission", "IpRange"),
    "vpc/securityGroupIngressRule:SecurityGroupIngressRule": ("ec2", "IpPermission", "IpRange"),
}

# Names, ids, ranges and documents that Pulumi calls otherwise than the request does.
CALLED_OTHERWISE = {
    "ec2/launchTemplate:LaunchTemplate": {
        "networkInterfaces.securityGroups",
        "vpcSecurityGroupIds",
    },
    "ec2/routeTable:RouteTable": {"routes.cidrBlock", "routes.gatewayId", "routes.natGatewayId"},
    "ecr/lifecyclePolicy:LifecyclePolicy": {"policy", "repository"},
    "ecr/repository:Repository": {"name"},
    "eks/cluster:Cluster": {"vpcConfig.publicAccessCidrs", "vpcConfig.subnetIds"},
    "eks/nodeGroup:NodeGroup": {"nodeRoleArn", "subnetIds"},
    "iam/role:Role": {"assumeRolePolicy"},
    "iam/rolePolicy:RolePolicy": {"policy", "role"},
    "iam/rolePolicyAttachment:RolePolicyAttachment": {"role"},
    "s3/bucket:Bucket": {"bucketPrefix"},
    "sqs/queuePolicy:QueuePolicy": {"policy"},
    "vpc/securityGroupEgressRule:SecurityGroupEgressRule": {
        "referencedSecurityGroupId",
        "securityGroupId",
    },
    "vpc/securityGroupIngressRule:SecurityGroupIngressRule": {
        "cidrIpv4",
        "referencedSecurityGroupId",
        "securityGroupId",
    },
}

# What EC2 enumerates and Karpenter's objects name for it.
KARPENTER = {
    "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass": {
        "spec.blockDeviceMappings.ebs.volumeType": "VolumeType",
        "spec.metadataOptions.httpEndpoint": "LaunchTemplateInstanceMetadataEndpointState",
        "spec.metadataOptions.httpTokens": "LaunchTemplateHttpTokensState",
    }
}


def texts_at(type_token: str, path: str) -> frozenset[str]:
    return declared_texts().get((type_token, path), frozenset())


@pytest.mark.parametrize(("type_name", "path"), ENUMERATIONS)
def test_declared_values_are_the_apis(type_name: str, path: str) -> None:
    declared = texts_at(f"aws:{type_name}", path)
    assert declared, "declared nowhere: the row judges nothing"
    assert declared <= values(*ENUMERATIONS[type_name, path])


def test_no_enumerated_value_goes_unjudged() -> None:
    declared = {place for place in declared_texts() if place[0].startswith("aws:")}
    assert {place[0].removeprefix("aws:") for place in declared} == REQUESTS.keys()
    assert [each for each in declared if not is_judged(each)] == []


def test_tables_have_no_row_that_nothing_is_declared_for() -> None:
    listed = {(f"aws:{name}", path) for name, paths in CALLED_OTHERWISE.items() for path in paths}
    assert listed <= declared_texts().keys()


@pytest.mark.parametrize("type_token", KARPENTER)
def test_nodes_of_karpenter_have_values_of_ec2(type_token: str) -> None:
    for path, shape in KARPENTER[type_token].items():
        declared = texts_at(type_token, path)
        assert declared, path
        assert declared <= values("ec2", shape)


def is_judged(place: Place) -> bool:
    """Its row is there, or the request has it as a text without an enumeration."""
    type_name, path = place[0].removeprefix("aws:"), place[1]
    if (type_name, path) in ENUMERATIONS or path in CALLED_OTHERWISE.get(type_name, ()):
        return True
    service, *requests = REQUESTS[type_name]
    found = [shape_at(service, each, path.split(".")) for each in requests]
    known = [shapes(service)[each] for each in found if each is not None]
    return bool(known) and not any("enum" in each for each in known)
