"""The cluster, its keys, its storage: private, encrypted, labelled, guarded."""

import json
from typing import Any

import pytest

from tests.unit.gcp.declared import (
    BUCKET,
    CLUSTER,
    PROJECT_NUMBER,
    Declarations,
    declare,
    run,
)
from tests.unit.spec.cluster_documents import aws, gcp, pool
from tidegate.gcp.gpu_cluster import GpuCluster, GpuClusterArgs
from tidegate.spec.cluster_plan import parse_cluster
from tidegate.spec.errors import SpecError
from tidegate.spec.workload_identity import WorkloadIdentity

pytestmark = pytest.mark.unit

WITHOUT_LABELS = {
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember",
    "gcp:compute/firewall:Firewall",
    "gcp:compute/network:Network",
    "gcp:compute/resourcePolicy:ResourcePolicy",
    "gcp:compute/router:Router",
    "gcp:compute/routerNat:RouterNat",
    "gcp:compute/subnetwork:Subnetwork",
    "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember",
    "gcp:kms/keyRing:KeyRing",
    "gcp:orgpolicy/policy:Policy",
    "gcp:projects/iAMMember:IAMMember",
    "gcp:projects/serviceIdentity:ServiceIdentity",
    "gcp:serviceaccount/account:Account",
    "gcp:servicenetworking/connection:Connection",
    "gcp:storage/bucketIAMMember:BucketIAMMember",
}
NO_DESCRIPTION = {"gcp:compute/routerNat:RouterNat"}
POLICY = "gcp:orgpolicy/policy:Policy"
LUSTRE = {"kind": "managedLustre", "capacityGib": 36000, "throughput": 500, "zone": "us-central1-a"}
FILES = {"kind": "filestore", "tier": "REGIONAL", "capacityGib": 1024}
COLD = {
    "kind": "bucket",
    "namePrefix": "acme",
    "transitions": [{"afterDays": 30, "storageClass": "NEARLINE"}],
}
RUNNER = WorkloadIdentity(namespace="inference", service_account="runner", access="append")


def with_storage(**tiers: Any) -> Declarations:
    return declare(gcp(pool("g2-standard-8"), storage=tiers))


def test_nodes_and_control_plane_are_private_unless_ranges_are_named() -> None:
    alone = declare(gcp()).only(CLUSTER)
    assert alone["privateClusterConfig"]["enablePrivateNodes"] is True
    assert alone["privateClusterConfig"]["enablePrivateEndpoint"] is True
    opened = declare(gcp(adminCidrs=["198.51.100.0/24"])).only(CLUSTER)
    assert opened["privateClusterConfig"]["enablePrivateEndpoint"] is False
    allowed = opened["masterAuthorizedNetworksConfig"]
    assert allowed["gcpPublicCidrsAccessEnabled"] is False
    assert {each["cidrBlock"] for each in allowed["cidrBlocks"]} == {
        "10.0.0.0/16",
        "198.51.100.0/24",
    }


def test_the_cluster_is_encrypted_has_dataplane_v2_and_takes_pools_with_networks_later() -> None:
    cluster = declare(gcp()).only(CLUSTER)
    assert cluster["databaseEncryption"] == {"state": "ENCRYPTED", "keyName": "prod-database-id"}
    assert cluster["datapathProvider"] == "ADVANCED_DATAPATH"
    assert cluster["enableMultiNetworking"] is True
    assert cluster["workloadIdentityConfig"] == {"workloadPool": "acme-gpu.svc.id.goog"}
    assert cluster["minMasterVersion"] == "1.34.1-gke.1829001"
    assert "DCGM" in cluster["monitoringConfig"]["enableComponents"]
    assert cluster["deletionProtection"] is True


def test_everything_carries_the_labels_or_says_them() -> None:
    declared = declare(
        gcp(
            pool("a3-ultragpu-8g", fabric={"kind": "gpuDirect"}, zones=["us-central1-a"]),
            storage={"hot": LUSTRE, "warm": FILES, "cold": COLD},
        ),
        RUNNER,
    )
    for each in declared.resources:
        if not each.type.startswith("gcp:"):
            continue
        inputs = each.inputs
        if each.type in WITHOUT_LABELS:
            description = inputs.get("description")
            assert description is None or "tidegate-cluster=prod" in description, each
            continue
        node_config = inputs.get("nodeConfig") or {}
        labels = (
            inputs.get("labels") or inputs.get("resourceLabels") or node_config["resourceLabels"]
        )
        assert labels["owner"] == "platform", each
        assert labels["environment"] == "prod", each


def test_each_kind_of_data_has_a_key_that_only_its_service_uses() -> None:
    declared = with_storage(hot=LUSTRE, warm=FILES, cold=COLD)
    users: dict[str, set[str]] = {}
    for grant in declared.of("gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"):
        users.setdefault(grant.inputs["cryptoKeyId"], set()).add(grant.inputs["member"])
    agent = f"serviceAccount:service-{PROJECT_NUMBER}@{{}}.iam.gserviceaccount.com"
    assert users == {
        "prod-database-id": {agent.format("container-engine-robot")},
        "prod-disks-id": {agent.format("compute-system")},
        "prod-buckets-id": {agent.format("gs-project-accounts")},
        "prod-files-id": {
            "serviceAccount:prod-artifactregistry",
            "serviceAccount:prod-lustre",
            "serviceAccount:prod-file",
        },
    }
    assert declared.only("gcp:lustre/instance:Instance")["kmsKey"] == "prod-files-id"
    assert declared.only("gcp:filestore/instance:Instance")["kmsKeyName"] == "prod-files-id"
    repository = declared.only("gcp:artifactregistry/repository:Repository")
    assert repository["kmsKeyName"] == "prod-files-id"
    assert repository["dockerConfig"] == {"immutableTags": True}


def test_a_bucket_keeps_old_versions_is_never_public_and_grows_colder() -> None:
    bucket = with_storage(cold=COLD).only(BUCKET)
    assert bucket["versioning"] == {"enabled": True}
    assert "retentionPolicy" not in bucket
    assert bucket["uniformBucketLevelAccess"] is True
    assert bucket["publicAccessPrevention"] == "enforced"
    assert bucket["encryption"] == {"defaultKmsKeyName": "prod-buckets-id"}
    assert bucket["forceDestroy"] is False
    actions = [each["action"] for each in bucket["lifecycleRules"]]
    assert actions == [
        {"type": "SetStorageClass", "storageClass": "NEARLINE"},
        {"type": "AbortIncompleteMultipartUpload"},
        {"type": "Delete"},
    ]


@pytest.mark.parametrize("protect", [True, False])
def test_a_lock_takes_the_place_of_old_versions_and_is_final_where_data_is_protected(
    protect: bool,
) -> None:
    document = gcp(pool("g2-standard-8"), storage={"cold": {**COLD, "lockDays": 30}})
    bucket = declare({**document, "protect": protect}).only(BUCKET)
    assert bucket["versioning"] == {"enabled": False}
    assert bucket["retentionPolicy"] == {"retentionPeriod": "2592000", "isLocked": protect}
    assert all(each["action"]["type"] != "Delete" for each in bucket["lifecycleRules"])


def test_plain_http_is_refused_by_the_project_where_the_plan_says_so() -> None:
    assert with_storage(cold=COLD).of(POLICY) == []
    policy = with_storage(cold={**COLD, "secureTransportPolicy": True}).only(POLICY)
    name = "projects/acme-gpu/policies/storage.secureHttpTransport"
    assert (policy["parent"], policy["name"]) == ("projects/acme-gpu", name)
    assert policy["spec"] == {"rules": [{"enforce": "TRUE"}]}


def test_lustre_is_reached_by_peering_and_mounted_by_its_address() -> None:
    declared = with_storage(hot=LUSTRE)
    firewall = declared.only("gcp:compute/firewall:Firewall", "prod-services")
    assert firewall["sourceRanges"] == ["10.64.0.0/20"]
    assert "988" in firewall["allows"][0]["ports"]
    connection = declared.only("gcp:servicenetworking/connection:Connection")
    assert connection["reservedPeeringRanges"] == ["prod-services"]
    volume = declared.only(
        "kubernetes:core/v1:PersistentVolume", "prod-persistentvolume-tidegate-hot"
    )
    csi = volume["spec"]["csi"]
    assert csi["driver"] == "lustre.csi.storage.gke.io"
    assert csi["volumeAttributes"] == {"ip": "10.64.0.2", "filesystem": "lustre"}
    drivers = declared.only(CLUSTER)["addonsConfig"]
    # Instances with support for GKE listen on the older port.
    assert declared.only("gcp:lustre/instance:Instance")["gkeSupportEnabled"] is True
    assert drivers["lustreCsiDriverConfig"] == {"enabled": True, "enableLegacyLustrePort": True}
    assert drivers["parallelstoreCsiDriverConfig"] == {"enabled": False}


def test_without_lustre_its_driver_says_nothing_about_ports() -> None:
    drivers = with_storage(warm=FILES).only(CLUSTER)["addonsConfig"]
    assert drivers["lustreCsiDriverConfig"] == {"enabled": False}


@pytest.mark.parametrize(
    ("machine_type", "classes"),
    [
        ("g2-standard-8", {"tidegate-block": "pd-balanced"}),
        ("a3-megagpu-8g", {"tidegate-block": "pd-balanced"}),
        (
            "a3-ultragpu-8g",
            {"tidegate-block": "pd-balanced", "tidegate-block-hyperdisk": "hyperdisk-balanced"},
        ),
    ],
)
def test_machines_that_attach_hyperdisk_only_have_a_class_for_it(
    machine_type: str, classes: dict[str, str]
) -> None:
    declared = declare(gcp(pool("g2-standard-48", name="plain"), pool(machine_type)))
    made = [each.inputs for each in declared.of("kubernetes:storage.k8s.io/v1:StorageClass")]
    assert {each["metadata"]["name"]: each["parameters"]["type"] for each in made} == classes
    assert {each["parameters"]["disk-encryption-kms-key"] for each in made} == {"prod-disks-id"}


def test_a_workload_gets_the_bucket_without_a_key_and_may_read_and_add() -> None:
    declared = declare(gcp(pool("g2-standard-8"), storage={"cold": COLD}), RUNNER)
    grants = declared.of("gcp:storage/bucketIAMMember:BucketIAMMember")
    roles = {each.inputs["role"] for each in grants}
    assert roles == {"roles/storage.objectViewer", "roles/storage.objectCreator"}
    (member,) = {each.inputs["member"] for each in grants}
    assert member == (
        f"principal://iam.googleapis.com/projects/{PROJECT_NUMBER}/locations/global/"
        "workloadIdentityPools/acme-gpu.svc.id.goog/subject/ns/inference/sa/runner"
    )


def test_workloads_without_a_bucket_are_refused() -> None:
    with pytest.raises(SpecError, match=r"storage\.cold"):
        GpuClusterArgs(plan=parse_cluster(gcp()), workloads=[RUNNER])


def test_another_clouds_plan_is_refused() -> None:
    with pytest.raises(SpecError, match=r"tidegate\.aws\.gpu_cluster"):
        GpuClusterArgs(plan=parse_cluster(aws()))


def test_a_plan_that_cannot_work_declares_nothing() -> None:
    plan = parse_cluster(gcp(pool("g2-standard-8", fabric={"kind": "gpuDirect"})))
    with pytest.raises(SpecError, match="no source shows GPUDirect"):
        run(lambda: GpuCluster("prod", GpuClusterArgs(plan=plan)))


def test_what_other_components_need_is_known_before_anything_is_made() -> None:
    plan = parse_cluster(
        gcp(
            pool("g2-standard-48", purpose="inference", sharing={"strategy": "mps", "clients": 4}),
            storage={"hot": LUSTRE, "warm": FILES, "cold": COLD},
        )
    )
    seen: dict[str, Any] = {}

    def program() -> None:
        cluster = GpuCluster("prod", GpuClusterArgs(plan=plan))
        seen["pools"], seen["classes"] = cluster.pools, cluster.storage_classes
        cluster.kubeconfig.apply(lambda text: seen.update(kubeconfig=json.loads(text)))

    run(program)
    (gpus,) = seen["pools"]
    assert gpus.gpus_per_node == 16
    assert gpus.node_labels == {"tidegate.dev/pool": "gpus"}
    assert seen["classes"] == {
        "hot": "tidegate-hot",
        "warm": "tidegate-warm",
        "cold": "tidegate-cold",
    }
    (user,) = seen["kubeconfig"]["users"]
    assert user["user"]["exec"]["command"] == "gke-gcloud-auth-plugin"
    (cluster,) = seen["kubeconfig"]["clusters"]
    assert cluster["cluster"]["server"] == "https://203.0.113.10"


@pytest.mark.parametrize(
    ("lock", "volumes"),
    [
        (
            {},
            {"tidegate-cold", "tidegate-models", "tidegate-datasets", "tidegate-checkpoints"},
        ),
        ({"lockDays": 30}, {"tidegate-cold", "tidegate-models", "tidegate-datasets"}),
    ],
)
def test_a_bucket_is_mounted_and_takes_checkpoints_unless_it_is_locked(
    lock: dict[str, int], volumes: set[str]
) -> None:
    declared = with_storage(cold={**COLD, **lock})
    made = {
        each.inputs["metadata"]["name"]: each.inputs["spec"]
        for each in declared.of("kubernetes:core/v1:PersistentVolume")
    }
    assert set(made) == volumes
    assert made["tidegate-models"]["storageClassName"] == "gcsfusecsi-serving"
    assert made["tidegate-datasets"]["storageClassName"] == "gcsfusecsi-training"
    assert made["tidegate-models"]["mountOptions"] == ["ro", "only-dir=models"]
    assert made["tidegate-cold"]["mountOptions"] == ["ro", "implicit-dirs"]
    assert {spec["csi"]["volumeHandle"] for spec in made.values()} == {"acme-prod"}
