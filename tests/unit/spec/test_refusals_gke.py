"""What Compute Engine, GKE and the file services would refuse, refused in the preview."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.unit.spec.cluster_documents import (
    Case,
    Document,
    check_refusal,
    gcp,
    pool,
    refusal,
    resolved,
)

pytestmark = pytest.mark.unit

ZONE = ["us-central1-b"]
DIRECT = {"kind": "gpuDirect"}
FLEX = {"kind": "flexStart"}
QUEUED = {"kind": "queued"}
RESERVATION = {"kind": "reservation", "reservation": "gpus"}
COMPACT = {"compact": True}
NEAR = {"policyName": "near"}
DOMAIN = {"topology": "1x72"}
ARM_LUSTRE_FROM = "1.34.1-gke.2541000"
LUSTRE = {
    "kind": "managedLustre",
    "capacityGib": 18000,
    "throughput": 500,
    "zone": "us-central1-b",
}


def a3(**changes: Any) -> Document:
    return gcp(pool("a3-megagpu-8g", **changes))


def ultra(**changes: Any) -> Document:
    return gcp(pool("a3-ultragpu-8g", **changes))


def a4x(**changes: Any) -> Document:
    direct = DIRECT | {"mode": "managed"}
    return gcp(pool("a4x-highgpu-4g", **({"capacity": RESERVATION, "fabric": direct} | changes)))


def lustre(**changes: Any) -> Document:
    return gcp(storage={"hot": LUSTRE | changes})


def filestore(**changes: Any) -> Document:
    return gcp(storage={"warm": {"kind": "filestore"} | changes})


@dataclass(frozen=True)
class Combination:
    """One rule of GKE: what it takes, and the same with the one thing it does not take."""

    rule: str
    accepted: Document
    refused: Document
    field: str
    mend: str


COMBINATIONS = [
    Combination("flex-start without auto-repair", a3(capacity=FLEX, repair=False),
                a3(capacity=FLEX, repair=True), "repair",
                "repair: false"),
    Combination("flex-start without a static count", a3(capacity=FLEX),
                a3(capacity=FLEX, nodes=3), "nodes",
                "nodes: {min: 0, max: 3}"),
    Combination("flex-start without a reservation", a3(capacity=FLEX),
                a3(capacity=FLEX | {"reservation": "gpus"}), "pools.gpus.capacity",
                "kind: reservation, or leave the reservation out"),
    Combination("flex-start or spot", a3(capacity={"kind": "spot"}),
                a3(capacity=FLEX | {"spot": True}), "pools.gpus.capacity",
                "kind: spot, or leave spot out"),
    Combination("flex-start and compact on A3 Ultra and A4 only",
                ultra(capacity=FLEX, placement=COMPACT, zones=ZONE),
                a3(capacity=FLEX, placement=COMPACT, zones=ZONE), "placement.compact",
                "machineType: a3-ultragpu-8g or a4-highgpu-8g"),
    Combination("queued from no nodes", a3(capacity=QUEUED),
                a3(capacity=QUEUED, nodes={"min": 1, "max": 3}), "nodes",
                "nodes: {min: 0, max: 3}"),
    Combination("queued without a static count", a3(capacity=QUEUED),
                a3(capacity=QUEUED, nodes=3), "nodes",
                "nodes: {min: 0, max: 3}"),
    Combination("queued without a reservation", a3(capacity=QUEUED),
                a3(capacity=QUEUED | {"reservation": "gpus"}), "pools.gpus.capacity",
                "kind: reservation, or leave the reservation out"),
    Combination("queued without compact placement", a3(capacity=QUEUED, zones=ZONE),
                a3(capacity=QUEUED, placement=COMPACT, zones=ZONE), "placement.compact",
                "capacity.kind: flexStart"),
    Combination("queued or spot", a3(capacity=QUEUED),
                a3(capacity=QUEUED | {"spot": True}), "pools.gpus.capacity",
                "kind: spot, or leave spot out"),
    Combination("queued for training only", a3(capacity=QUEUED),
                a3(capacity=QUEUED, purpose="inference"), "capacity.kind",
                "purpose: training"),
    Combination("partitions that GKE's device plugin knows",
                gcp(pool("a2-highgpu-8g", sharing={"migProfile": "3g.20gb"})),
                gcp(pool("a2-highgpu-8g", sharing={"migProfile": "4g.20gb"})),
                "sharing.migProfile",
                "1g.5gb, 2g.10gb, 3g.20gb, 7g.40gb"),
    Combination("compact in one zone", a3(placement=COMPACT, zones=ZONE),
                a3(placement=COMPACT), "placement.compact",
                "zones: [us-central1-a]"),
    Combination("compact without blue-green", a3(placement=COMPACT, zones=ZONE),
                a3(placement=COMPACT, zones=ZONE, upgrade={"strategy": "blueGreen"}),
                "upgrade.strategy",
                "upgrade.strategy: surge"),
    Combination("a policy by name in one zone", a3(placement=NEAR, zones=ZONE),
                a3(placement=NEAR), "placement.policyName",
                "zones: [us-central1-a]"),
    Combination("an NVLink domain in one zone", a4x(placement=DOMAIN, zones=ZONE, fabric={}),
                a4x(placement=DOMAIN, fabric={}), "placement.topology",
                "zones: [us-central1-a]"),
    Combination("a policy by name and flex-start on A3 Ultra and A4 only",
                ultra(capacity=FLEX, placement=NEAR, zones=ZONE),
                a3(capacity=FLEX, placement=NEAR, zones=ZONE), "placement.policyName",
                "a3-ultragpu-8g or a4-highgpu-8g"),
    Combination("a policy by name without queued nodes", a3(placement=NEAR, zones=ZONE),
                a3(capacity=QUEUED, placement=NEAR, zones=ZONE), "placement.policyName",
                "capacity.kind: flexStart"),
    Combination("a policy by name without blue-green", a3(placement=NEAR, zones=ZONE),
                a3(placement=NEAR, zones=ZONE, upgrade={"strategy": "blueGreen"}),
                "upgrade.strategy",
                "upgrade.strategy: surge"),
    Combination("an NVLink domain without blue-green", a4x(placement=DOMAIN, zones=ZONE),
                a4x(placement=DOMAIN, zones=ZONE, upgrade={"strategy": "blueGreen"}),
                "upgrade.strategy",
                "upgrade.strategy: surge"),
    Combination("a policy by name or one for an NVLink domain", a4x(placement=NEAR, zones=ZONE),
                a4x(placement=NEAR | DOMAIN, zones=ZONE), "placement.policyName",
                "topology alone, or policyName alone"),
    Combination("a range that can start in every zone", a3(nodes={"min": 1, "max": 3}),
                a3(nodes={"min": 1, "max": 2}), "nodes.max",
                "max: 3"),
    Combination("a range that can start in one zone", a3(nodes={"min": 1, "max": 2}, zones=ZONE),
                a3(nodes={"min": 4, "max": 5}), "nodes.max",
                "max: 6"),
    Combination("nodes for controllers in every zone", gcp(system={"nodes": {"min": 2, "max": 3}}),
                gcp(system={"nodes": {"min": 2, "max": 2}}), "system.nodes.max",
                "max: 3"),
    Combination("Managed Lustre on Container-Optimized OS only",
                gcp(pool("g2-standard-4", image={"family": "cos"}), storage={"hot": LUSTRE}),
                gcp(pool("g2-standard-4", image={"family": "ubuntu"}), storage={"hot": LUSTRE}),
                "pools.gpus.image.family",
                "image.family: cos"),
    Combination("Managed Lustre on arm64 nodes of a version that mounts it",
                a4x(zones=ZONE) | {"storage": {"hot": LUSTRE}, "gkeVersion": ARM_LUSTRE_FROM},
                a4x(zones=ZONE) | {"storage": {"hot": LUSTRE}}, "gkeVersion",
                "gkeVersion: 1.34.1-gke.2541000 or newer"),
    Combination("Managed Lustre on x86 nodes of a version that mounts it",
                gcp(pool("g2-standard-4"), storage={"hot": LUSTRE}, kubernetesVersion="1.33",
                    gkeVersion="1.33.2-gke.1111000"),
                gcp(pool("g2-standard-4"), storage={"hot": LUSTRE}, kubernetesVersion="1.33",
                    gkeVersion="1.33.2-gke.1110999"), "gkeVersion",
                "gkeVersion: 1.33.2-gke.1111000 or newer"),
    Combination("blocks of a reservation with a zone",
                a3(capacity=RESERVATION | {"block": "b1"}, zones=ZONE),
                a3(capacity=RESERVATION | {"block": "b1"}), "zones",
                "zones: [<the block's>]"),
]  # fmt: skip


@pytest.mark.parametrize("combination", COMBINATIONS, ids=lambda each: each.rule)
def test_combination_rules_of_gke(combination: Combination) -> None:
    resolved(combination.accepted)
    error = refusal(combination.refused)
    assert error.field.endswith(combination.field), error
    assert combination.mend in error.instead, error
    assert error.why


FABRIC = [
    Case("AWS's fabric", a3(fabric={"kind": "efa"}), "fabric.kind", "efa", "gpuDirect"),
    Case(
        "GPUDirect on a type without it",
        gcp(pool("g2-standard-48", fabric=DIRECT)),
        "fabric.kind",
        "gpuDirect",
        "'a3-megagpu-8g' or 'a4-highgpu-8g'",
    ),
    Case(
        "RDMA over three zones",
        ultra(fabric=DIRECT),
        "zones",
        "us-central1-a, us-central1-b, us-central1-c",
        "zones: [us-central1-a]",
    ),
    Case(
        "managed networks for TCPXO",
        a3(fabric=DIRECT | {"mode": "managed"}),
        "fabric.mode",
        "managed",
        "fabric.mode: explicit",
    ),
    Case(
        "explicit networks for GB200",
        a4x(fabric=DIRECT, zones=ZONE),
        "fabric.mode",
        "explicit",
        "fabric.mode: managed",
    ),
    Case(
        "managed networks on an old version",
        gcp(
            pool("a4-highgpu-8g", capacity=FLEX, zones=ZONE, fabric=DIRECT | {"mode": "managed"}),
            gkeVersion="1.34.1-gke.1829000",
        ),
        "fabric.mode",
        "managed",
        "a newer gkeVersion",
    ),
    Case(
        "number of interfaces",
        a3(fabric=DIRECT | {"interfaces": 8}),
        "fabric.interfaces",
        8,
        "leave it out",
    ),
    Case(
        "exposure of EKS",
        a3(fabric=DIRECT | {"exposure": "dra"}),
        "fabric.exposure",
        "dra",
        "fabric.mode: managed",
    ),
]

CAPACITY = [
    Case(
        "Capacity Block",
        a3(
            capacity={
                "kind": "capacityBlock",
                "reservation": "cr-02168da1478b509e0",
                "zone": "us-central1-b",
                "starts": "2026-11-20T11:30:00Z",
                "ends": "2026-11-30T11:30:00Z",
            }
        ),
        "capacity.kind",
        "capacityBlock",
        "reservation, flexStart",
    ),
    Case(
        "a type sold by reservation only",
        a4x(capacity={"kind": "onDemand"}, zones=ZONE),
        "capacity.kind",
        "onDemand",
        "reservation",
    ),
    Case(
        "a small A3 on demand",
        gcp(pool("a3-highgpu-1g")),
        "capacity.kind",
        "onDemand",
        "one of spot, flexStart, queued",
    ),
    Case(
        "a small A3 of a reservation",
        gcp(pool("a3-highgpu-4g", capacity=RESERVATION)),
        "capacity.kind",
        "reservation",
        "one of spot, flexStart, queued",
    ),
    Case(
        "more than seven days of flex-start",
        a3(capacity=FLEX | {"maxRunSeconds": 604801}),
        "capacity.maxRunSeconds",
        604801,
        "604800",
    ),
    Case(
        "path for a name",
        a3(capacity=RESERVATION | {"reservation": "projects/acme/reservations/gpus"}),
        "capacity.reservation",
        "projects/acme/reservations/gpus",
        "capacity.project",
    ),
    Case(
        "reservation that has ended",
        a3(capacity=RESERVATION | {"ends": "2026-11-01T00:00:00Z"}),
        "capacity.ends",
        "2026-11-01T00:00:00+00:00",
        "a reservation that still runs",
    ),
    Case(
        "queued flex-start with auto-repair",
        a3(capacity=QUEUED | {"flexStart": True}, repair=True),
        "repair",
        True,
        "repair: false",
    ),
]

NODES = [
    Case("AMI", a3(image={"family": "al2023"}), "image.family", "al2023", "cos or ubuntu"),
    Case("Karpenter", a3(elastic=True), "elastic", True, "leave it out"),
    Case(
        "boot disk that the type does not take",
        ultra(disks={"bootType": "pd-ssd"}),
        "disks.bootType",
        "pd-ssd",
        "hyperdisk-balanced",
    ),
    Case("RAID0", a3(disks={"local": "raid0"}), "disks.local", "raid0", "ephemeral"),
    Case(
        "local disks of a type without",
        gcp(pool("a2-highgpu-8g", disks={"local": "ephemeral"})),
        "disks.local",
        "ephemeral",
        "local: none",
    ),
    Case(
        "partition of another size under the name",
        gcp(pool("a2-highgpu-8g", sharing={"migProfile": "1g.10gb"})),
        "sharing.migProfile",
        "1g.10gb",
        "one of 1g.5gb, 2g.10gb, 3g.20gb, 7g.40gb",
    ),
    Case(
        "partition of an A100 with 80 GB",
        gcp(pool("a2-ultragpu-8g", sharing={"migProfile": "4g.40gb"})),
        "sharing.migProfile",
        "4g.40gb",
        "one of 1g.10gb, 1g.20gb, 2g.20gb, 3g.40gb, 7g.80gb",
    ),
    Case(
        "partition of an H100",
        gcp(pool("a3-highgpu-8g", sharing={"migProfile": "4g.40gb"})),
        "sharing.migProfile",
        "4g.40gb",
        "3g.40gb",
    ),
    Case(
        "queued nodes for servers",
        a3(capacity=QUEUED, purpose="inference"),
        "capacity.kind",
        "queued",
        "capacity.kind: flexStart",
    ),
    Case("uneven over zones", a3(nodes=4), "nodes", 4, "a multiple of 3"),
    Case("start above the max", a3(nodes={"min": 1, "max": 2}), "nodes.max", 2, "max: 3"),
    Case(
        "accelerator topology of another type",
        a3(placement={"topology": "1x72"}, zones=ZONE),
        "placement.topology",
        "1x72",
        "leave it out",
    ),
    Case(
        "arm64 image on x86 machines",
        a3(image={"architecture": "arm64"}),
        "image.architecture",
        "arm64",
        "image.architecture: x86_64",
    ),
]

NETWORK = [
    Case(
        "range of pods too small for the nodes",
        gcp(pool("a3-megagpu-8g"), network={"podsCidr": "10.128.0.0/22"}),
        "network.podsCidr",
        "10.128.0.0/22",
        "a /20",
    ),
    Case(
        "subnetwork too small for the nodes",
        gcp(
            pool("g2-standard-4", nodes={"min": 0, "max": 300}),
            network={"nodePrefix": 24},
        ),
        "network.nodePrefix",
        24,
        "nodePrefix: 23",
    ),
    Case(
        "subnetwork that does not fit",
        gcp(network={"cidr": "10.0.0.0/24", "nodePrefix": 20}),
        "network.nodePrefix",
        20,
        "nodePrefix: 24 or more",
    ),
    Case(
        "control plane's range",
        gcp(network={"controlPlaneCidr": "172.16.0.0/24"}),
        "network.controlPlaneCidr",
        "172.16.0.0/24",
        "172.16.0.0/28",
    ),
    Case(
        "pods inside the nodes' range",
        gcp(network={"podsCidr": "10.0.128.0/17"}),
        "network.podsCidr",
        "10.0.128.0/17",
        "a private range of its own",
    ),
    Case(
        "too few ranges for the GPUs' networks",
        gcp(pool("a3-megagpu-8g", fabric=DIRECT), network={"fabricCidr": "192.168.0.0/22"}),
        "network.fabricCidr",
        "192.168.0.0/22",
        "192.168.0.0/16",
    ),
    Case(
        "more nodes than the GPUs' networks hold",
        gcp(pool("a3-megagpu-8g", fabric=DIRECT, nodes={"min": 0, "max": 253})),
        "pools",
        "gpus",
        "at most 252 nodes together",
    ),
]

STORAGE = [
    Case(
        "Lustre on arm64 nodes of a version that does not mount it",
        a4x(zones=ZONE) | {"storage": {"hot": LUSTRE}, "gkeVersion": "1.34.1-gke.2540999"},
        "gkeVersion",
        "1.34.1-gke.2540999",
        ARM_LUSTRE_FROM,
    ),
    Case(
        "Lustre on Ubuntu",
        gcp(pool("g2-standard-4", image={"family": "ubuntu"}), storage={"hot": LUSTRE}),
        "pools.gpus.image.family",
        "ubuntu",
        "image.family: cos",
    ),
    Case(
        "Lustre of a size not offered",
        lustre(capacityGib=20000),
        "storage.hot.capacityGib",
        20000,
        "36000",
    ),
    Case(
        "Lustre smaller than offered",
        lustre(capacityGib=9000),
        "storage.hot.capacityGib",
        9000,
        "18000",
    ),
    Case(
        "Lustre of a throughput not offered",
        lustre(throughput=300),
        "storage.hot.throughput",
        300,
        "125, 250, 500, 1000",
    ),
    Case(
        "name of a Lustre file system",
        lustre(filesystem="checkpoints"),
        "storage.hot.filesystem",
        "checkpoints",
        "lustre",
    ),
    Case(
        "Parallelstore of a size not offered",
        gcp(
            storage={
                "hot": {"kind": "parallelstore", "capacityGib": 14000, "zone": "us-central1-b"}
            }
        ),
        "storage.hot.capacityGib",
        14000,
        "16000",
    ),
    Case(
        "AWS's file system",
        gcp(storage={"warm": {"kind": "efs"}}),
        "storage.warm.kind",
        "efs",
        "filestore",
    ),
    Case(
        "Filestore of a size not offered",
        filestore(tier="ZONAL", capacityGib=1100, zone="us-central1-b"),
        "storage.warm.capacityGib",
        1100,
        "1280",
    ),
    Case(
        "zone of a regional Filestore",
        filestore(capacityGib=1024, zone="us-central1-b"),
        "storage.warm.zone",
        "us-central1-b",
        "leave it out",
    ),
    Case(
        "zonal Filestore without a zone",
        filestore(tier="ZONAL", capacityGib=1024),
        "storage.warm.zone",
        None,
        "the zone it shall be in",
    ),
    Case(
        "class of another cloud",
        gcp(
            storage={
                "cold": {
                    "kind": "bucket",
                    "namePrefix": "acme-models",
                    "transitions": [{"afterDays": 30, "storageClass": "GLACIER"}],
                }
            }
        ),
        "transitions.0.storageClass",
        "GLACIER",
        "NEARLINE, COLDLINE, ARCHIVE",
    ),
]

CASES = [*FABRIC, *CAPACITY, *NODES, *NETWORK, *STORAGE]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_refused_with_field_value_and_mend(case: Case) -> None:
    check_refusal(case)


@pytest.mark.parametrize(
    "document",
    [
        ultra(fabric=DIRECT, zones=ZONE, placement=COMPACT),
        a3(fabric=DIRECT),
        a4x(zones=ZONE, placement={"topology": "1x72"}),
        a3(nodes=6),
        a3(capacity=QUEUED | {"flexStart": True}),
        a3(capacity=FLEX, purpose="inference"),
        gcp(pool("a3-ultragpu-8g", sharing={"migProfile": "4g.71gb"})),
        a3(capacity=RESERVATION | {"project": "other"}),
        gcp(pool("a3-highgpu-8g")),
        gcp(pool("a3-highgpu-1g", capacity={"kind": "spot"})),
        gcp(pool("a3-highgpu-2g", capacity=FLEX)),
        gcp(pool("a3-highgpu-4g", capacity=QUEUED)),
        lustre(capacityGib=3060000 + 36000 * 3),
        filestore(capacityGib=100),
        filestore(tier="ZONAL", capacityGib=12800, zone="us-central1-b"),
    ],
)
def test_the_like_is_taken(document: Document) -> None:
    resolved(document)
