"""The repository's stacks on Google Cloud, and what must hold for whatever they put there."""

from collections.abc import Iterable, Mapping
from typing import Any

from tests.cloud.harness.cloud_store import CloudObject
from tests.cloud.harness.project import CloudProject
from tests.cloud.harness.sdk_shapes import Sdk
from tests.cloud.harness.stacks import CLUSTER as PLAN

CLUSTER = "gcp:container/cluster:Cluster"
NODE_POOL = "gcp:container/nodePool:NodePool"
NETWORK = "gcp:compute/network:Network"
SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"
BUCKET = "gcp:storage/bucket:Bucket"
LUSTRE = "gcp:lustre/instance:Instance"
FILESTORE = "gcp:filestore/instance:Instance"
IMAGES = "gcp:artifactregistry/repository:Repository"
CRYPTO_KEY = "gcp:kms/cryptoKey:CryptoKey"
KEY_RING = "gcp:kms/keyRing:KeyRing"
SECURE_TRANSPORT = "gcp:orgpolicy/policy:Policy"

NETWORKS_OF = {"a3-megagpu-8g": 8, "a3-ultragpu-8g": 9, "a4-highgpu-8g": 9}
"""Interfaces of a node beside its first, by machine type."""

KEY_INPUTS = {
    BUCKET: "encryption.defaultKmsKeyName",
    CLUSTER: "databaseEncryption.keyName",
    FILESTORE: "kmsKeyName",
    LUSTRE: "kmsKey",
    NODE_POOL: "nodeConfig.bootDiskKmsKey",
    IMAGES: "kmsKeyName",
}
LABELS = ("labels", "resourceLabels")
"""Inputs of types that take labels, as the SDK calls them."""


def check_invariants(project: CloudProject, sdk: Sdk) -> None:
    """Private, encrypted with own keys, labelled, tainted, with every network."""
    cloud, plan = project.cloud, project.declared()["config"][PLAN]
    (cluster,) = cloud.objects(CLUSTER)
    assert _at(cluster, "privateClusterConfig.enablePrivateNodes") is True
    assert _at(cluster, "privateClusterConfig.enablePrivateEndpoint") is True
    keys = {each.id for each in cloud.objects(CRYPTO_KEY)}
    for type_token, path in KEY_INPUTS.items():
        for each in cloud.objects(type_token):
            assert _at(each, path) in keys, each
    wanted = {**plan["ownership"], "tidegate-cluster": plan["name"], "managed-by": "tidegate"}
    for each in cloud.objects():
        for path in _label_inputs(each, sdk):
            assert _at(each, path).items() >= wanted.items(), each.key
    for bucket in cloud.objects(BUCKET):
        assert bucket.inputs["publicAccessPrevention"] == "enforced"
        assert _at(bucket, "versioning.enabled") or bucket.inputs["retentionPolicy"]
    _check_pools(cloud.objects(NODE_POOL), plan)


def _label_inputs(thing: CloudObject, sdk: Sdk) -> list[str]:
    if thing.type == NODE_POOL:
        return ["nodeConfig.resourceLabels"]
    shape = sdk.resource(thing.type) if thing.type.startswith("gcp:") else None
    return [name for name in LABELS if shape is not None and name in shape.inputs.fields]


def _check_pools(pools: Iterable[CloudObject], plan: Mapping[str, Any]) -> None:
    by_pool = {_at(each, "nodeConfig.labels")["tidegate.dev/pool"]: each for each in pools}
    assert set(by_pool) == {"system", *(each["name"] for each in plan["pools"])}
    for each in by_pool.values():
        assert _at(each, "networkConfig.enablePrivateNodes") is True
        assert _at(each, "nodeConfig.shieldedInstanceConfig.enableSecureBoot") is True
        assert _at(each, "nodeConfig.workloadMetadataConfig.mode") == "GKE_METADATA"
    for wanted in plan["pools"]:
        made = by_pool[wanted["name"]]
        taints = {(each["key"], each["value"]) for each in _at(made, "nodeConfig.taints")}
        assert ("nvidia.com/gpu", "present") in taints
        assert ("tidegate.dev/purpose", wanted["purpose"]) in taints
        fabric = wanted.get("fabric", {})
        explicit = fabric.get("kind") == "gpuDirect" and fabric.get("mode") != "managed"
        networks = made.inputs["networkConfig"].get("additionalNodeNetworkConfigs", [])
        expected = NETWORKS_OF[wanted["machineType"]] if explicit else 0
        assert len({each["subnetwork"] for each in networks}) == expected


def _at(thing: CloudObject, path: str) -> Any:
    found: Any = thing.inputs
    for part in path.split("."):
        found = found[part]
    return found
