"""Every enumerated value that clusters on Google Cloud are declared with is one its API takes.

Tables by hand: the protos' enumerations, published values of what has no proto here, the message
that a resource is sent as, and which texts have other names there and come from no enumeration. A
declared text that is in none of them fails, so that no new property goes unjudged.
"""

from typing import Any

import pytest
from google.cloud import compute_v1, container_v1, filestore_v1, lustre_v1, parallelstore_v1

from tests.cloud.judges.declared_texts import Place
from tests.cloud.judges.gcp_declarations import declared_texts
from tests.cloud.judges.protos import field_at
from tests.cloud.judges.test_gcp_names import ACCELERATORS

pytestmark = pytest.mark.cloud

POOL = "container/nodePool:NodePool"
CLUSTER = "container/cluster:Cluster"
NAT = "compute/routerNat:RouterNat"
SUBNETWORK = "compute/subnetwork:Subnetwork"
FILESTORE = "filestore/instance:Instance"
BUCKET = "storage/bucket:Bucket"
IMAGES = "artifactregistry/repository:Repository"

# https://cloud.google.com/compute/docs/general-purpose-machines
WITHOUT_GPUS = {f"e2-standard-{count}" for count in (2, 4, 8, 16, 32)}

ENUMERATIONS: dict[tuple[str, str], Any] = {
    ("compute/firewall:Firewall", "direction"): compute_v1.Firewall.Direction,
    ("compute/globalAddress:GlobalAddress", "addressType"): compute_v1.Address.AddressType,
    ("compute/globalAddress:GlobalAddress", "purpose"): compute_v1.Address.Purpose,
    ("compute/network:Network", "routingMode"): compute_v1.NetworkRoutingConfig.RoutingMode,
    ("compute/resourcePolicy:ResourcePolicy", "workloadPolicy.type"): (
        compute_v1.ResourcePolicyWorkloadPolicy.Type
    ),
    (NAT, "logConfig.filter"): compute_v1.RouterNatLogConfig.Filter,
    (NAT, "natIpAllocateOption"): compute_v1.RouterNat.NatIpAllocateOption,
    (NAT, "sourceSubnetworkIpRangesToNat"): compute_v1.RouterNat.SourceSubnetworkIpRangesToNat,
    (NAT, "subnetworks.sourceIpRangesToNats"): (
        compute_v1.RouterNatSubnetworkToNat.SourceIpRangesToNat
    ),
    (SUBNETWORK, "logConfig.aggregationInterval"): (
        compute_v1.SubnetworkLogConfig.AggregationInterval
    ),
    (SUBNETWORK, "logConfig.metadata"): compute_v1.SubnetworkLogConfig.Metadata,
    (CLUSTER, "databaseEncryption.state"): container_v1.DatabaseEncryption.State,
    (CLUSTER, "datapathProvider"): container_v1.DatapathProvider,
    (CLUSTER, "loggingConfig.enableComponents"): container_v1.LoggingComponentConfig.Component,
    (CLUSTER, "maintenancePolicy.maintenanceExclusions.exclusionOptions.scope"): (
        container_v1.MaintenanceExclusionOptions.Scope
    ),
    (CLUSTER, "maintenancePolicy.maintenanceExclusions.exclusionOptions.endTimeBehavior"): (
        container_v1.MaintenanceExclusionOptions.EndTimeBehavior
    ),
    (CLUSTER, "monitoringConfig.enableComponents"): (
        container_v1.MonitoringComponentConfig.Component
    ),
    (CLUSTER, "nodeConfig.workloadMetadataConfig.mode"): container_v1.WorkloadMetadataConfig.Mode,
    (CLUSTER, "releaseChannel.channel"): container_v1.ReleaseChannel.Channel,
    (CLUSTER, "securityPostureConfig.mode"): container_v1.SecurityPostureConfig.Mode,
    (POOL, "autoscaling.locationPolicy"): container_v1.NodePoolAutoscaling.LocationPolicy,
    (POOL, "nodeConfig.gpudirectStrategy"): container_v1.GPUDirectConfig.GPUDirectStrategy,
    (POOL, "nodeConfig.guestAccelerators.gpuDriverInstallationConfig.gpuDriverVersion"): (
        container_v1.GPUDriverInstallationConfig.GPUDriverVersion
    ),
    (POOL, "nodeConfig.guestAccelerators.gpuSharingConfig.gpuSharingStrategy"): (
        container_v1.GPUSharingConfig.GPUSharingStrategy
    ),
    (POOL, "nodeConfig.reservationAffinity.consumeReservationType"): (
        container_v1.ReservationAffinity.Type
    ),
    (POOL, "nodeConfig.taintConfig.architectureTaintBehavior"): (
        container_v1.TaintConfig.ArchitectureTaintBehavior
    ),
    (POOL, "nodeConfig.taints.effect"): container_v1.NodeTaint.Effect,
    (POOL, "nodeConfig.workloadMetadataConfig.mode"): container_v1.WorkloadMetadataConfig.Mode,
    (POOL, "placementPolicy.type"): container_v1.NodePool.PlacementPolicy.Type,
    (POOL, "upgradeSettings.strategy"): container_v1.NodePoolUpdateStrategy,
    (FILESTORE, "networks.connectMode"): filestore_v1.NetworkConfig.ConnectMode,
    (FILESTORE, "networks.modes"): filestore_v1.NetworkConfig.AddressMode,
    (FILESTORE, "tier"): filestore_v1.Instance.Tier,
    ("parallelstore/instance:Instance", "deploymentType"): parallelstore_v1.DeploymentType,
}

# Enumerated in no proto that is here; each from the reference of its API.
PUBLISHED = {
    # https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys
    ("kms/cryptoKey:CryptoKey", "purpose"): {
        "ASYMMETRIC_DECRYPT",
        "ASYMMETRIC_SIGN",
        "ENCRYPT_DECRYPT",
        "MAC",
        "RAW_ENCRYPT_DECRYPT",
    },
    # https://cloud.google.com/storage/docs/json_api/v1/buckets; the provider's own `withState`
    # stands for `isLive`.
    (BUCKET, "storageClass"): {"STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"},
    (BUCKET, "lifecycleRules.action.storageClass"): {"NEARLINE", "COLDLINE", "ARCHIVE"},
    (BUCKET, "lifecycleRules.action.type"): {
        "AbortIncompleteMultipartUpload",
        "Delete",
        "SetStorageClass",
    },
    (BUCKET, "lifecycleRules.condition.withState"): {"ANY", "ARCHIVED", "LIVE"},
    (BUCKET, "publicAccessPrevention"): {"enforced", "inherited"},
    # https://cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.repositories
    (IMAGES, "cleanupPolicies.action"): {"DELETE", "KEEP"},
    (IMAGES, "cleanupPolicies.condition.tagState"): {"ANY", "TAGGED", "UNTAGGED"},
    (IMAGES, "format"): {"APT", "DOCKER", "GENERIC", "GO", "KFP", "MAVEN", "NPM", "PYTHON", "YUM"},
    (IMAGES, "vulnerabilityScanningConfig.enablementConfig"): {"DISABLED", "INHERITED"},
    (POOL, "nodeConfig.guestAccelerators.type"): {each for each, _ in ACCELERATORS.values()},
    (POOL, "nodeConfig.machineType"): {*ACCELERATORS, *WITHOUT_GPUS},
    # https://cloud.google.com/kubernetes-engine/docs/concepts/node-images
    (POOL, "nodeConfig.imageType"): {"COS_CONTAINERD", "UBUNTU_CONTAINERD"},
    # The provider's own names.
    (CLUSTER, "networkingMode"): {"ROUTES", "VPC_NATIVE"},
    (POOL, "nodeConfig.kubeletConfig.insecureKubeletReadonlyPortEnabled"): {"FALSE", "TRUE"},
    ("orgpolicy/policy:Policy", "spec.rules.enforce"): {"FALSE", "TRUE"},
    ("servicenetworking/connection:Connection", "deletionPolicy"): {"ABANDON"},
}

MESSAGES = {
    "compute/firewall:Firewall": (compute_v1.Firewall,),
    "compute/globalAddress:GlobalAddress": (compute_v1.Address,),
    "compute/network:Network": (compute_v1.Network, compute_v1.NetworkRoutingConfig),
    "compute/resourcePolicy:ResourcePolicy": (compute_v1.ResourcePolicy,),
    "compute/router:Router": (compute_v1.Router,),
    NAT: (compute_v1.RouterNat,),
    SUBNETWORK: (compute_v1.Subnetwork,),
    CLUSTER: (container_v1.Cluster,),
    POOL: (container_v1.NodePool,),
    FILESTORE: (filestore_v1.Instance,),
    "lustre/instance:Instance": (lustre_v1.Instance,),
    "parallelstore/instance:Instance": (parallelstore_v1.Instance,),
}

# Names, ids, ranges, durations and times that the provider calls otherwise than the message does,
# or of resources whose message is not here.
EVERYWHERE = {"description", "instanceId", "location", "member", "project", "region", "role"}
CALLED_OTHERWISE = {
    "compute/firewall:Firewall": {"allows.ports", "allows.protocol"},
    NAT: {"router"},
    CLUSTER: {
        "maintenancePolicy.maintenanceExclusions.exclusionName",
        "maintenancePolicy.maintenanceExclusions.startTime",
        "maintenancePolicy.recurringWindow.endTime",
        "maintenancePolicy.recurringWindow.recurrence",
        "maintenancePolicy.recurringWindow.startTime",
        "minMasterVersion",
    },
    POOL: {"cluster"},
    IMAGES: {
        "cleanupPolicies.condition.olderThan",
        "cleanupPolicies.id",
        "kmsKeyName",
        "repositoryId",
    },
    "artifactregistry/repositoryIamMember:RepositoryIamMember": {"repository"},
    "kms/cryptoKey:CryptoKey": {"destroyScheduledDuration", "keyRing", "rotationPeriod"},
    "kms/cryptoKeyIAMMember:CryptoKeyIAMMember": {"cryptoKeyId"},
    "orgpolicy/policy:Policy": {"name", "parent"},
    "projects/serviceIdentity:ServiceIdentity": {"service"},
    "serviceaccount/account:Account": {"displayName"},
    "servicenetworking/connection:Connection": {"network", "reservedPeeringRanges", "service"},
    BUCKET: {"encryption.defaultKmsKeyName", "retentionPolicy.retentionPeriod"},
}


def texts_at(type_name: str, path: str) -> frozenset[str]:
    declared = declared_texts().get((f"gcp:{type_name}", path), frozenset())
    assert declared, "declared nowhere: the row judges nothing"
    return declared


@pytest.mark.parametrize(("type_name", "path"), ENUMERATIONS)
def test_declared_values_are_the_apis(type_name: str, path: str) -> None:
    enumeration = ENUMERATIONS[type_name, path]
    assert texts_at(type_name, path) <= {each.name for each in enumeration}


@pytest.mark.parametrize(("type_name", "path"), PUBLISHED)
def test_declared_values_are_those_that_google_publishes(type_name: str, path: str) -> None:
    assert texts_at(type_name, path) <= PUBLISHED[type_name, path]


def test_no_enumerated_value_goes_unjudged() -> None:
    declared = [place for place in declared_texts() if place[0].startswith("gcp:")]
    assert [each for each in declared if not is_judged(each)] == []


def test_tables_have_no_row_that_nothing_is_declared_for() -> None:
    listed = {(f"gcp:{name}", path) for name, paths in CALLED_OTHERWISE.items() for path in paths}
    assert listed <= declared_texts().keys()
    assert {f"gcp:{each}" for each in MESSAGES} <= {place[0] for place in declared_texts()}


def is_judged(place: Place) -> bool:
    """Its row is there, or the message has it as a text without an enumeration."""
    type_name, path = place[0].removeprefix("gcp:"), place[1]
    if (type_name, path) in ENUMERATIONS or (type_name, path) in PUBLISHED:
        return True
    if path in EVERYWHERE or path in CALLED_OTHERWISE.get(type_name, ()):
        return True
    found = [field_at(each, path.split(".")) for each in MESSAGES.get(type_name, ())]
    return any(there for there, _ in found) and not any(names for _, names in found)
