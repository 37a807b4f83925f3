"""How Google Cloud treats the types that the project declares."""

from tests.cloud.harness.cloud_rules import TypeRule

PROJECT, PROJECT_NUMBER, REGION = "recorded-project", "987654321098", "us-central1"
SURROUNDINGS = {
    "project": PROJECT,
    "region": REGION,
    "location": REGION,
    "zone": f"{REGION}-a",
}

_GLOBAL = "projects/{project}/global"
_REGIONAL = "projects/{project}/regions/{region}"
_LOCATED = "projects/{project}/locations/{location}"


def _grant(place: str) -> TypeRule:
    """Granting twice is no error."""
    return TypeRule(f"{place}/{{role}}/{{member}}", put=True, autoname=None)


RULES: dict[str, TypeRule] = {
    "gcp:artifactregistry/repository:Repository": TypeRule(
        f"{_LOCATED}/repositories/{{repositoryId}}",
        replaces=("repositoryId", "location", "format", "kmsKeyName"),
    ),
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": _grant("{repository}"),
    "gcp:compute/firewall:Firewall": TypeRule(
        f"{_GLOBAL}/firewalls/{{name}}", replaces=("name", "network")
    ),
    "gcp:compute/globalAddress:GlobalAddress": TypeRule(
        f"{_GLOBAL}/addresses/{{name}}",
        replaces=("name", "network", "prefixLength", "purpose"),
        computed=("address",),
    ),
    "gcp:compute/network:Network": TypeRule(
        f"{_GLOBAL}/networks/{{name}}",
        replaces=("name", "autoCreateSubnetworks", "description", "networkProfile", "mtu"),
    ),
    "gcp:compute/resourcePolicy:ResourcePolicy": TypeRule(
        f"{_REGIONAL}/resourcePolicies/{{name}}",
        replaces=("name", "region", "workloadPolicy", "description"),
    ),
    "gcp:compute/router:Router": TypeRule(
        f"{_REGIONAL}/routers/{{name}}", replaces=("name", "network", "region")
    ),
    "gcp:compute/routerNat:RouterNat": TypeRule(
        "{project}/{region}/{router}/{name}",
        unique=("router",),  # which serves each subnetwork once
        replaces=("name", "router", "region"),
    ),
    "gcp:compute/subnetwork:Subnetwork": TypeRule(
        f"{_REGIONAL}/subnetworks/{{name}}",
        unique=("network", "ipCidrRange"),
        replaces=("name", "network", "region", "description", "ipCidrRange"),
    ),
    # A second one cannot have the control plane's range, nor that of the services.
    "gcp:container/cluster:Cluster": TypeRule(
        f"{_LOCATED}/clusters/{{name}}",
        unique=("network",),
        replaces=(
            "name",
            "location",
            "network",
            "subnetwork",
            "datapathProvider",
            "enableMultiNetworking",
            "ipAllocationPolicy",
            "networkingMode",
            "privateClusterConfig.masterIpv4CidrBlock",
        ),
        computed=("masterAuth.clusterCaCertificate",),
    ),
    # Machine type, disk, labels, taints and sizes change in place, node by node.
    "gcp:container/nodePool:NodePool": TypeRule(
        f"{_LOCATED}/clusters/{{cluster}}/nodePools/{{name}}",
        replaces=(
            "name",
            "cluster",
            "location",
            "initialNodeCount",
            "maxPodsPerNode",
            "placementPolicy",
            "queuedProvisioning",
            "networkConfig.additionalNodeNetworkConfigs",
            "networkConfig.acceleratorNetworkProfile",
            "nodeConfig.bootDiskKmsKey",
            "nodeConfig.ephemeralStorageLocalSsdConfig",
            "nodeConfig.flexStart",
            "nodeConfig.guestAccelerators",
            "nodeConfig.localNvmeSsdBlockConfig",
            "nodeConfig.maxRunDuration",
            "nodeConfig.reservationAffinity",
            "nodeConfig.serviceAccount",
            "nodeConfig.shieldedInstanceConfig",
            "nodeConfig.spot",
        ),
    ),
    "gcp:filestore/instance:Instance": TypeRule(
        f"{_LOCATED}/instances/{{name}}",
        replaces=("name", "location", "tier", "networks", "kmsKeyName"),
        computed=("networks.ipAddresses",),
    ),
    "gcp:kms/cryptoKey:CryptoKey": TypeRule(
        "{keyRing}/cryptoKeys/{name}", replaces=("name", "keyRing", "purpose")
    ),
    "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember": _grant("{cryptoKeyId}"),
    "gcp:kms/keyRing:KeyRing": TypeRule(
        f"{_LOCATED}/keyRings/{{name}}", replaces=("name", "location")
    ),
    "gcp:lustre/instance:Instance": TypeRule(
        f"{_LOCATED}/instances/{{instanceId}}",
        replaces=("instanceId", "location", "filesystem", "network", "kmsKey"),
    ),
    "gcp:orgpolicy/policy:Policy": TypeRule("{name}", replaces=("name", "parent"), autoname=None),
    "gcp:parallelstore/instance:Instance": TypeRule(
        f"{_LOCATED}/instances/{{instanceId}}",
        replaces=("instanceId", "location", "capacityGib", "network"),
    ),
    "gcp:projects/iAMMember:IAMMember": _grant("{project}"),
    "gcp:projects/serviceIdentity:ServiceIdentity": TypeRule(
        "projects/{project}/services/{service}", put=True, autoname=None
    ),
    "gcp:serviceaccount/account:Account": TypeRule(
        "projects/{project}/serviceAccounts/{accountId}@{project}.iam.gserviceaccount.com",
        replaces=("accountId",),
        autoname="accountId",
    ),
    # Taken over as the project asks for with `updateOnCreationFail`.
    "gcp:servicenetworking/connection:Connection": TypeRule(
        "{network}:{service}", put=True, replaces=("network", "service")
    ),
    "gcp:storage/bucket:Bucket": TypeRule(
        "{name}", replaces=("name", "location", "enableObjectRetention")
    ),
    "gcp:storage/bucketIAMMember:BucketIAMMember": _grant("b/{bucket}"),
}
"""What cannot change in place follows the schemas of terraform-provider-google 7, by hand."""
