"""How AWS treats the types that the project declares.

What replaces is from the API: an input that no Update or Modify call takes.
"""

from tests.cloud.harness.cloud_rules import TypeRule

ACCOUNT, REGION = "123456789012", "us-east-1"
SURROUNDINGS = {"account": ACCOUNT, "region": REGION}


def _ec2(prefix: str, *replaces: str, unique: tuple[str, ...] = ()) -> TypeRule:
    return TypeRule(f"{prefix}-{{hex17}}", unique=unique, replaces=replaces, autoname=None)


SECURITY_RULE = _ec2(
    "sgr",
    "securityGroupId",
    unique=(
        "securityGroupId",
        "ipProtocol",
        "fromPort",
        "toPort",
        "cidrIpv4",
        "cidrIpv6",
        "prefixListId",
        "referencedSecurityGroupId",
    ),
)


def _of_bucket() -> TypeRule:
    return TypeRule("{bucket}", put=True, replaces=("bucket",), autoname=None)


RULES = {
    "aws:ec2/vpc:Vpc": _ec2("vpc", "cidrBlock"),
    "aws:ec2/subnet:Subnet": _ec2(
        "subnet", "vpcId", "cidrBlock", "availabilityZone", unique=("vpcId", "cidrBlock")
    ),
    "aws:ec2/internetGateway:InternetGateway": _ec2("igw", unique=("vpcId",)),
    "aws:ec2/eip:Eip": _ec2("eipalloc", "domain"),
    "aws:ec2/natGateway:NatGateway": _ec2(
        "nat", "allocationId", "subnetId", unique=("allocationId",)
    ),
    "aws:ec2/routeTable:RouteTable": _ec2("rtb", "vpcId"),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": _ec2(
        "rtbassoc", "subnetId", unique=("subnetId",)
    ),
    "aws:ec2/securityGroup:SecurityGroup": TypeRule(
        "sg-{hex17}", replaces=("name", "namePrefix", "description", "vpcId")
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": SECURITY_RULE,
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": SECURITY_RULE,
    "aws:ec2/vpcEndpoint:VpcEndpoint": _ec2(
        "vpce", "vpcId", "serviceName", "vpcEndpointType", unique=("vpcId", "serviceName")
    ),
    "aws:ec2/flowLog:FlowLog": _ec2(
        "fl", "vpcId", "logDestination", "trafficType", unique=("vpcId", "logDestination")
    ),
    "aws:ec2/placementGroup:PlacementGroup": TypeRule("{name}", replaces=("name", "strategy")),
    "aws:ec2/launchTemplate:LaunchTemplate": TypeRule(
        "lt-{hex17}", replaces=("name", "namePrefix"), volatile=("latestVersion",)
    ),
    "aws:ec2/capacityReservation:CapacityReservation": _ec2(
        "cr", "availabilityZone", "instanceType", "instancePlatform", "tenancy", "ebsOptimized"
    ),
    "aws:kms/key:Key": TypeRule("{hex17}-key", replaces=("multiRegion",), autoname=None),
    "aws:kms/alias:Alias": TypeRule("{name}", replaces=("name",)),
    "aws:cloudwatch/logGroup:LogGroup": TypeRule("{name}", replaces=("name", "namePrefix")),
    "aws:iam/role:Role": TypeRule("{name}", replaces=("name", "namePrefix", "path")),
    "aws:iam/policy:Policy": TypeRule(
        "arn:aws:iam::{account}:policy/{name}", replaces=("name", "namePrefix", "path")
    ),
    "aws:iam/rolePolicy:RolePolicy": TypeRule("{role}:{name}", put=True, replaces=("role", "name")),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": TypeRule(
        "{role}/{policyArn}", put=True, replaces=("role", "policyArn"), autoname=None
    ),
    "aws:iam/instanceProfile:InstanceProfile": TypeRule("{name}", replaces=("name", "namePrefix")),
    "aws:eks/cluster:Cluster": TypeRule(
        "{name}",
        replaces=("name", "roleArn", "encryptionConfig.provider", "kubernetesNetworkConfig"),
        computed=("vpcConfig.clusterSecurityGroupId", "vpcConfig.vpcId"),
    ),
    "aws:eks/addon:Addon": TypeRule(
        "{clusterName}:{addonName}", replaces=("clusterName", "addonName"), autoname=None
    ),
    "aws:eks/nodeGroup:NodeGroup": TypeRule(
        "{clusterName}:{nodeGroupName}",
        replaces=(
            "amiType",
            "capacityType",
            "clusterName",
            "diskSize",
            "instanceTypes",
            "launchTemplate.id",
            "launchTemplate.name",
            "nodeGroupName",
            "nodeGroupNamePrefix",
            "nodeRoleArn",
            "remoteAccess",
            "subnetIds",
        ),
        autoname="nodeGroupName",
    ),
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": TypeRule(
        "{clusterName},{namespace},{serviceAccount}",
        replaces=("clusterName", "namespace", "serviceAccount"),
        autoname=None,
    ),
    "aws:eks/accessEntry:AccessEntry": TypeRule(
        "{clusterName}:{principalArn}",
        replaces=("clusterName", "principalArn", "type"),
        autoname=None,
    ),
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": TypeRule(
        "{clusterName}#{principalArn}#{policyArn}",
        put=True,
        replaces=("clusterName", "principalArn", "policyArn", "accessScope"),
        autoname=None,
    ),
    "aws:ecr/repository:Repository": TypeRule(
        "{name}", replaces=("name", "encryptionConfigurations")
    ),
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": TypeRule(
        "{repository}", put=True, replaces=("repository",), autoname=None
    ),
    "aws:s3/bucket:Bucket": TypeRule(
        "{bucket}", replaces=("bucket", "bucketPrefix", "objectLockEnabled"), autoname="bucket"
    ),
    "aws:s3/bucketVersioning:BucketVersioning": _of_bucket(),
    "aws:s3/bucketPolicy:BucketPolicy": _of_bucket(),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _of_bucket(),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": _of_bucket(),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": _of_bucket(),
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": _of_bucket(),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        _of_bucket()
    ),
    "aws:fsx/lustreFileSystem:LustreFileSystem": _ec2(
        "fs",
        "deploymentType",
        "efaEnabled",
        "kmsKeyId",
        "securityGroupIds",
        "storageType",
        "subnetIds",
    ),
    "aws:fsx/dataRepositoryAssociation:DataRepositoryAssociation": _ec2(
        "dra",
        "fileSystemId",
        "fileSystemPath",
        "dataRepositoryPath",
        unique=("fileSystemId", "fileSystemPath"),
    ),
    "aws:efs/fileSystem:FileSystem": _ec2("fs", "encrypted", "kmsKeyId", "performanceMode"),
    "aws:efs/mountTarget:MountTarget": _ec2(
        "fsmt", "fileSystemId", "subnetId", unique=("fileSystemId", "subnetId")
    ),
    "aws:efs/backupPolicy:BackupPolicy": TypeRule("{fileSystemId}", put=True, autoname=None),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": TypeRule(
        "sg-of-{vpcId}", put=True, replaces=("vpcId",), autoname=None
    ),
    "aws:autoscaling/schedule:Schedule": TypeRule(
        "{autoscalingGroupName}/{scheduledActionName}",
        put=True,
        replaces=("autoscalingGroupName", "scheduledActionName"),
        autoname=None,
    ),
    "aws:cloudwatch/eventRule:EventRule": TypeRule("{name}", put=True, replaces=("name",)),
    "aws:cloudwatch/eventTarget:EventTarget": TypeRule(
        "{rule}-{hex8}", put=True, replaces=("rule", "targetId"), autoname=None
    ),
    "aws:sqs/queuePolicy:QueuePolicy": TypeRule(
        "{queueUrl}", put=True, replaces=("queueUrl",), autoname=None
    ),
    "aws:sqs/queue:Queue": TypeRule(
        "https://sqs.{region}.amazonaws.com/{account}/{name}", replaces=("name", "namePrefix")
    ),
}
