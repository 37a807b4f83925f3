"""What EC2, EKS and FSx would refuse, refused in the preview."""

from typing import Any

import pytest

from tests.unit.spec.cluster_documents import Case, Document, aws, check_refusal, pool, resolved

pytestmark = pytest.mark.unit

ZONE = ["us-east-2a"]
EFA = {"kind": "efa"}
BLOCK = {
    "kind": "capacityBlock",
    "reservation": "cr-02168da1478b509e0",
    "zone": "us-east-2a",
    "starts": "2026-11-20T11:30:00Z",
    "ends": "2026-11-30T11:30:00Z",
}
RESERVATION = {"kind": "reservation", "reservation": "cr-02168da1478b509e0"}
GROUP = "arn:aws:resource-groups:us-east-2:123456789012:group/h100"
LUSTRE = {"kind": "fsxLustre", "capacityGib": 2400, "throughput": 250, "zone": "us-east-2a"}
BUCKET = {"kind": "bucket", "namePrefix": "acme-models"}


def p5(**changes: Any) -> Document:
    return aws(pool("p5.48xlarge", **changes))


def block(**changes: Any) -> Document:
    return p5(capacity=BLOCK | changes)


def gb200(capacity: dict[str, Any] | None = None, **changes: Any) -> Document:
    return aws(
        pool(
            "p6e-gb200.36xlarge",
            fabric=EFA,
            capacity=BLOCK | {"zone": "us-east-1-dfw-2a"} | (capacity or {}),
            **changes,
        ),
        region="us-east-1",
        zones=["us-east-1a", "us-east-1b", "us-east-1-dfw-2a"],
    )


def system(nodes: int) -> Document:
    return aws(
        region="us-east-1",
        zones=["us-east-1a", "us-east-1b", "us-east-1-dfw-2a"],
        system={"nodes": {"min": 2, "max": nodes}},
        network={"nodePrefix": 24},
    )


def lustre(**changes: Any) -> Document:
    efa_pool = pool("p5.48xlarge", zones=ZONE, fabric=EFA)
    return aws(efa_pool, storage={"hot": LUSTRE | changes})


def cold(*transitions: dict[str, Any]) -> Document:
    return aws(storage={"cold": BUCKET | {"transitions": list(transitions)}})


FABRIC = [
    Case(
        "EFA on a type without it",
        aws(pool("g6e.xlarge", zones=ZONE, fabric=EFA)),
        "pools.gpus.fabric.kind",
        "efa",
        "a machineType with EFA, such as 'g6e.8xlarge'",
    ),
    Case(
        "a layout that the type does not have",
        aws(
            pool(
                "p6e-gb200.36xlarge",
                fabric=EFA | {"interfaces": 6},
                capacity=BLOCK,
            )
        ),
        "fabric.interfaces",
        6,
        "fabric.interfaces: 4",
    ),
    Case(
        "EFA over three zones",
        p5(fabric=EFA),
        "zones",
        "us-east-2a, us-east-2b, us-east-2c",
        "zones: [us-east-2a]",
    ),
    Case(
        "Google's fabric",
        p5(fabric={"kind": "gpuDirect"}, zones=ZONE),
        "fabric.kind",
        "gpuDirect",
        "efa",
    ),
    Case(
        "networks that only GKE attaches",
        p5(fabric=EFA | {"mode": "managed"}, zones=ZONE),
        "fabric.mode",
        "managed",
        "leave it out",
    ),
    Case(
        "DRA on an old cluster",
        aws(
            pool("p5.48xlarge", zones=ZONE, fabric=EFA | {"exposure": "dra"}),
            kubernetesVersion="1.33",
        ),
        "fabric.exposure",
        "dra",
        "devicePlugin",
    ),
    Case(
        "shared GPUs on the fabric",
        p5(fabric=EFA, zones=ZONE, sharing={"migProfile": "1g.10gb"}),
        "sharing",
        "1g.10gb",
        "fabric.kind: none",
    ),
]

CAPACITY = [
    Case(
        "pool in another zone than its Capacity Block",
        p5(zones=["us-east-2b"], capacity=BLOCK),
        "zones",
        "us-east-2b",
        "zones: [us-east-2a]",
    ),
    Case(
        "Capacity Block in a zone without a subnet",
        block(zone="us-east-2d"),
        "capacity.zone",
        "us-east-2d",
        "us-east-2a",
    ),
    Case(
        "Capacity Block of a type that has none",
        aws(pool("g6e.48xlarge", capacity=BLOCK)),
        "capacity.kind",
        "capacityBlock",
        "onDemand",
    ),
    Case(
        "placement group with a Capacity Block",
        p5(capacity=BLOCK, placement={"compact": True}),
        "placement.compact",
        True,
        "placement.compact: false",
    ),
    Case(
        "more nodes than a Capacity Block has",
        p5(capacity=BLOCK, nodes={"min": 0, "max": 65}, maxPods=16),
        "nodes",
        65,
        "at most 64",
    ),
    Case(
        "more nodes than an UltraServer has",
        gb200(nodes={"min": 0, "max": 19}),
        "nodes",
        19,
        "at most 18, a further pool for a further block, or as capacity.reservation the ARN",
    ),
    Case(
        "more nodes than all Capacity Blocks have",
        aws(
            pool(
                "p5.48xlarge",
                capacity=BLOCK | {"reservation": GROUP},
                nodes={"min": 0, "max": 257},
                maxPods=16,
            ),
            network={"nodePrefix": 18},
        ),
        "nodes",
        257,
        "at most 256",
    ),
    Case(
        "Capacity Block that ends before it starts",
        block(ends="2026-11-01T11:30:00Z"),
        "capacity.ends",
        "2026-11-01T11:30:00+00:00",
        "a later time",
    ),
    Case(
        "Capacity Block of a length not sold",
        block(ends="2026-12-08T11:30:00Z"),
        "capacity.ends",
        "2026-12-08T11:30:00+00:00",
        "weeks",
    ),
    Case(
        "Capacity Block about to end",
        block(ends="2026-11-23T12:20:00Z"),
        "capacity.ends",
        "2026-11-23T12:20:00+00:00",
        "another Capacity Block",
    ),
    Case(
        "UltraServer about to end",
        gb200({"ends": "2026-11-23T12:50:00Z"}),
        "capacity.ends",
        "2026-11-23T12:50:00+00:00",
        "another Capacity Block",
    ),
    Case(
        "nodes before the Capacity Block starts",
        p5(nodes=2, capacity=BLOCK | {"starts": "2026-11-25T11:30:00Z"}),
        "nodes",
        2,
        "nodes: {min: 0, max: 2}",
    ),
    Case(
        "reservation by name",
        p5(zones=ZONE, capacity=RESERVATION | {"reservation": "my-gpus"}),
        "capacity.reservation",
        "my-gpus",
        "cr-02168da1478b509e0",
    ),
    Case(
        "a group of reservations for Karpenter",
        p5(zones=ZONE, capacity=RESERVATION | {"reservation": GROUP}, elastic=True),
        "capacity.reservation",
        GROUP,
        "elastic: false",
    ),
    Case(
        "a new placement group with a reservation",
        p5(zones=ZONE, capacity=RESERVATION, placement={"compact": True}),
        "placement.compact",
        True,
        "placement.compact: false",
    ),
    Case(
        "a new placement group with a group of reservations",
        p5(
            zones=ZONE,
            capacity=RESERVATION | {"reservation": GROUP},
            placement={"compact": True},
        ),
        "placement.compact",
        True,
        "placement.compact: false",
    ),
    Case(
        "reservation that has ended",
        p5(zones=ZONE, capacity=RESERVATION | {"ends": "2026-11-23T11:59:00Z"}),
        "capacity.ends",
        "2026-11-23T11:59:00+00:00",
        "a reservation that still runs",
    ),
    Case(
        "reservation over three zones",
        p5(capacity=RESERVATION),
        "zones",
        "us-east-2a, us-east-2b, us-east-2c",
        "zones: [<the reservation's>]",
    ),
    Case(
        "project of a reservation",
        p5(zones=ZONE, capacity=RESERVATION | {"project": "acme"}),
        "capacity.project",
        "acme",
        "leave it out",
    ),
    Case(
        "block of a reservation",
        p5(zones=ZONE, capacity=RESERVATION | {"block": "b1"}),
        "capacity.block",
        "b1",
        "leave it out",
    ),
    Case(
        "flex-start",
        p5(capacity={"kind": "flexStart"}),
        "capacity.kind",
        "flexStart",
        "capacityBlock, reservation",
    ),
    Case(
        "queued provisioning",
        p5(capacity={"kind": "queued"}),
        "capacity.kind",
        "queued",
        "onDemand",
    ),
    Case(
        "spot of a type that is not sold so",
        aws(pool("p6e-gb200.36xlarge", capacity={"kind": "spot"})),
        "capacity.kind",
        "spot",
        "capacityBlock",
    ),
]

NODES = [
    Case(
        "arm64 image on x86 machines",
        p5(image={"architecture": "arm64"}),
        "image.architecture",
        "arm64",
        "image.architecture: x86_64",
    ),
    Case(
        "x86 image on arm64 machines",
        aws(pool("p6e-gb200.36xlarge", capacity=BLOCK, image={"architecture": "x86_64"})),
        "image.architecture",
        "x86_64",
        "image.architecture: arm64",
    ),
    Case(
        "type that an old version does not run on",
        aws(pool("p6e-gb200.36xlarge", capacity=BLOCK), kubernetesVersion="1.32"),
        "machineType",
        "p6e-gb200.36xlarge",
        "kubernetesVersion: '1.33'",
    ),
    Case(
        "sharing that Bottlerocket does not know",
        p5(image={"family": "bottlerocket"}, sharing={"migProfile": "1g.10gb"}),
        "pools.gpus.sharing",
        "1g.10gb",
        "al2023",
    ),
    Case(
        "node group with a name too long",
        aws(pool("p5.48xlarge", name="x" * 40), name="c" * 25),
        f"pools.{'x' * 40}.name",
        "x" * 40,
        "at most 29 characters",
    ),
    Case("Google's image", p5(image={"family": "cos"}), "image.family", "cos", "al2023"),
    Case(
        "boot disk of another cloud",
        p5(disks={"bootType": "pd-balanced"}),
        "disks.bootType",
        "pd-balanced",
        "gp3",
    ),
    Case(
        "local disks that nobody knows of",
        aws(pool("p6e-gb200.36xlarge", capacity=BLOCK, disks={"local": "raid0"})),
        "disks.local",
        "raid0",
        "local: none",
    ),
    Case(
        "Google's use of local disks",
        p5(disks={"local": "ephemeral"}),
        "disks.local",
        "ephemeral",
        "raid0",
    ),
    Case(
        "blue-green upgrade",
        p5(upgrade={"strategy": "blueGreen"}),
        "upgrade.strategy",
        "blueGreen",
        "strategy: surge",
    ),
    Case(
        "nodes more during an upgrade",
        p5(upgrade={"maxSurge": 1}),
        "upgrade.maxSurge",
        1,
        "maxUnavailable",
    ),
    Case(
        "accelerator topology",
        p5(placement={"topology": "1x72"}),
        "placement.topology",
        "1x72",
        "placement.compact: true",
    ),
    Case(
        "resource policy",
        p5(placement={"policyName": "near"}),
        "placement.policyName",
        "near",
        "placement.compact: true",
    ),
    Case(
        "label key that EKS refuses",
        p5(labels={"example.com/" + "x" * 60: "1"}),
        "labels",
        "example.com/" + "x" * 60,
        "shorter key",
    ),
    Case(
        "Karpenter with a fixed count",
        p5(nodes=3, elastic=True),
        "nodes",
        3,
        "elastic: false",
    ),
    Case(
        "Karpenter on the fabric",
        p5(elastic=True, fabric=EFA, zones=ZONE),
        "elastic",
        True,
        "elastic: false",
    ),
    Case(
        "Karpenter with a Capacity Block",
        p5(elastic=True, capacity=BLOCK),
        "elastic",
        True,
        "elastic: false",
    ),
    Case(
        "lowest count with Karpenter",
        p5(elastic=True, nodes={"min": 1, "max": 3}),
        "nodes",
        1,
        "{min: 0, max: 3}",
    ),
]

NETWORK = [
    Case(
        "subnet too small for the pods",
        aws(pool("p5.48xlarge"), network={"nodePrefix": 24}),
        "network.nodePrefix",
        24,
        "nodePrefix: 22",
    ),
    Case(
        "subnet too small for the nodes without GPUs, of which a Local Zone has none",
        system(3),
        "network.nodePrefix",
        24,
        "nodePrefix: 23",
    ),
    Case(
        "subnets that do not fit",
        aws(network={"cidr": "10.0.0.0/20", "nodePrefix": 21}),
        "network.nodePrefix",
        21,
        "nodePrefix: 22",
    ),
    Case(
        "VPC larger than AWS takes",
        aws(network={"cidr": "10.0.0.0/12"}),
        "network.cidr",
        "10.0.0.0/12",
        "10.0.0.0/16",
    ),
    Case(
        "addresses of the internet",
        aws(network={"cidr": "8.8.0.0/16"}),
        "network.cidr",
        "8.8.0.0/16",
        "a part of 10.0.0.0/8",
    ),
    Case(
        "Services inside the VPC",
        aws(network={"servicesCidr": "10.0.240.0/20"}),
        "network.servicesCidr",
        "10.0.240.0/20",
        "a private range of its own",
    ),
    Case(
        "Services at addresses that EKS does not take",
        aws(network={"servicesCidr": "100.64.0.0/16"}),
        "network.servicesCidr",
        "100.64.0.0/16",
        "172.20.0.0/16",
    ),
    Case(
        "more Services than EKS takes",
        aws(network={"servicesCidr": "10.0.0.0/8", "cidr": "192.168.0.0/16", "nodePrefix": 18}),
        "network.servicesCidr",
        "10.0.0.0/8",
        "172.20.0.0/16",
    ),
    Case(
        "fewer Services than EKS takes",
        aws(network={"servicesCidr": "172.20.0.0/25"}),
        "network.servicesCidr",
        "172.20.0.0/25",
        "172.20.0.0/16",
    ),
    Case("control plane in one zone", aws(zones=ZONE), "zones", "us-east-2a", "three zones"),
]

STORAGE = [
    Case(
        "Lustre of a size not offered",
        lustre(capacityGib=3000),
        "storage.hot.capacityGib",
        3000,
        "4800",
    ),
    Case(
        "Lustre of a throughput not offered",
        lustre(throughput=200),
        "storage.hot.throughput",
        200,
        "125, 250, 500, 1000",
    ),
    Case(
        "Lustre without a throughput",
        lustre(throughput=None),
        "storage.hot.throughput",
        None,
        "125, 250, 500, 1000",
    ),
    Case(
        "Lustre with EFA in the steps of one without",
        lustre(efa=True, capacityGib=2400),
        "storage.hot.capacityGib",
        2400,
        "19200",
    ),
    Case(
        "Lustre with EFA and no pool on the fabric",
        aws(pool("p5.48xlarge"), storage={"hot": LUSTRE | {"efa": True, "capacityGib": 19200}}),
        "storage.hot.efa",
        True,
        "efa: false",
    ),
    Case(
        "Lustre with EFA in another zone than the pool on the fabric",
        lustre(efa=True, capacityGib=19200, zone="us-east-2b"),
        "storage.hot.efa",
        True,
        "a pool of the same zone",
    ),
    Case(
        "throughput of a scratch file system",
        lustre(deploymentType="SCRATCH_2"),
        "storage.hot.throughput",
        250,
        "PERSISTENT_2",
    ),
    Case(
        "EFA of a scratch file system",
        lustre(deploymentType="SCRATCH_2", throughput=None, efa=True),
        "storage.hot.efa",
        True,
        "PERSISTENT_2",
    ),
    Case(
        "Lustre in a zone without a subnet",
        lustre(zone="us-east-2d"),
        "storage.hot.zone",
        "us-east-2d",
        "us-east-2a",
    ),
    Case(
        "data repository without a bucket",
        lustre(repositoryPrefix="sets"),
        "storage.hot.repositoryPrefix",
        "sets",
        "storage.cold",
    ),
    Case(
        "Google's file system",
        aws(storage={"hot": {"kind": "parallelstore", "capacityGib": 12000, "zone": "x"}}),
        "storage.hot.kind",
        "parallelstore",
        "fsxLustre",
    ),
    Case(
        "throughput of an elastic EFS",
        aws(storage={"warm": {"kind": "efs", "provisionedMibps": 100}}),
        "storage.warm.provisionedMibps",
        100,
        "neither",
    ),
    Case(
        "another cloud's way to refuse plain HTTP",
        aws(
            storage={
                "cold": {"kind": "bucket", "namePrefix": "acme", "secureTransportPolicy": True}
            }
        ),
        "storage.cold.secureTransportPolicy",
        True,
        "leave it out",
    ),
    Case(
        "prefix that leaves no room in the bucket's name",
        aws(storage={"cold": BUCKET | {"namePrefix": "a" * 37}}),
        "storage.cold.namePrefix",
        "a" * 37,
        "at most 36 characters",
    ),
    Case(
        "cluster whose name leaves no room in the role of the bucket's driver",
        aws(name="c" * 28, storage={"cold": BUCKET}),
        "name",
        "c" * 28,
        "at most 27 characters",
    ),
    Case(
        "class of another cloud",
        cold({"afterDays": 30, "storageClass": "COLDLINE"}),
        "storage.cold.transitions.0.storageClass",
        "COLDLINE",
        "GLACIER",
    ),
    Case(
        "objects that become warmer",
        cold(
            {"afterDays": 30, "storageClass": "GLACIER"},
            {"afterDays": 60, "storageClass": "STANDARD_IA"},
        ),
        "storage.cold.transitions.1.storageClass",
        "STANDARD_IA",
        "DEEP_ARCHIVE",
    ),
    Case(
        "infrequent access before thirty days",
        cold({"afterDays": 7, "storageClass": "STANDARD_IA"}),
        "storage.cold.transitions.0.afterDays",
        7,
        "afterDays: 30",
    ),
    Case(
        "local disks that no pool has",
        aws(pool("p5.48xlarge", disks={"local": "none"}), storage={"hot": {"kind": "localNvme"}}),
        "storage.hot.kind",
        "localNvme",
        "a machineType with local disks",
    ),
]

CASES = [*FABRIC, *CAPACITY, *NODES, *NETWORK, *STORAGE]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_refused_with_field_value_and_mend(case: Case) -> None:
    check_refusal(case)


@pytest.mark.parametrize(
    "document",
    [
        p5(fabric=EFA, zones=ZONE, placement={"compact": True}),
        block(),
        block(starts="2026-11-20T14:10:00Z", ends="2026-12-11T11:30:00Z"),
        p5(nodes={"min": 0, "max": 2}, capacity=BLOCK | {"starts": "2026-11-25T11:30:00Z"}),
        p5(zones=ZONE, capacity=RESERVATION | {"ends": "2026-12-24T00:00:00Z"}),
        p5(zones=ZONE, capacity=RESERVATION | {"reservation": GROUP}),
        lustre(efa=True, capacityGib=19200),
        lustre(capacityGib=1200),
        lustre(deploymentType="SCRATCH_2", throughput=None),
        cold({"afterDays": 30, "storageClass": "STANDARD_IA"}),
        aws(pool("g6e.12xlarge", elastic=True)),
        aws(pool("g6e.12xlarge", name="x" * 40, elastic=True), name="c" * 25),
        aws(pool("p5.48xlarge", name="x" * 29), name="c" * 25),
        aws(name="c" * 27, storage={"cold": BUCKET | {"namePrefix": "a" * 36}}),
        aws(network={"servicesCidr": "172.16.0.0/12"}),
        system(2),
        aws(privateAdminCidrs=["10.0.0.0/16", "100.64.0.0/24"]),
        block(ends="2026-11-23T12:50:00Z"),
        block(reservation=GROUP),
        gb200(nodes={"min": 0, "max": 18}),
        gb200({"reservation": GROUP}, nodes={"min": 0, "max": 36}),
    ],
)
def test_the_like_is_taken(document: Document) -> None:
    resolved(document)
