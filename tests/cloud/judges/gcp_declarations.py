"""What clusters on Google Cloud are declared with: the stacks, and plans with all else."""

from functools import cache

from tests.cloud.judges.declared_texts import Texts, stacks_of, texts_of
from tests.unit.gcp.declared import declare
from tests.unit.spec.cluster_documents import Document, gcp, pool

RESERVED: Document = {"kind": "reservation", "reservation": "gpus"}
ZONE: Document = {"zones": ["us-central1-a"]}
TAINTS = [
    {"key": f"example.com/{effect.lower()}", "effect": effect}
    for effect in ("NoSchedule", "PreferNoSchedule", "NoExecute")
]
EVERYTHING = gcp(
    pool("g2-standard-48", name="shared", sharing={"strategy": "mps", "clients": 2}, nodes=3)
    | {"purpose": "inference"},
    pool("g2-standard-8", name="green", upgrade={"strategy": "blueGreen"}),
    pool("g2-standard-4", name="image", image={"family": "ubuntu", "driver": "latest"}),
    pool("a2-ultragpu-1g", name="parts", sharing={"migProfile": "1g.10gb"}),
    pool("a3-megagpu-8g", name="near", placement={"compact": True}, capacity=RESERVED, **ZONE),
    pool("a4-highgpu-8g", name="flex", capacity={"kind": "flexStart"}, **ZONE),
    pool(
        "a4x-highgpu-4g",
        name="domain",
        fabric={"kind": "gpuDirect", "mode": "managed"},
        placement={"compact": True, "topology": "1x72"},
        capacity={"kind": "reservation", "reservation": "domain"},
        **ZONE,
    ),
    storage={
        "hot": {"kind": "parallelstore", "capacityGib": 12000, "zone": "us-central1-a"},
        "warm": {
            "kind": "filestore",
            "tier": "ZONAL",
            "capacityGib": 1024,
            "zone": "us-central1-a",
        },
        "cold": {
            "kind": "bucket",
            "namePrefix": "releases",
            "secureTransportPolicy": True,
            "transitions": [
                {"afterDays": 30, "storageClass": "NEARLINE"},
                {"afterDays": 60, "storageClass": "COLDLINE"},
                {"afterDays": 90, "storageClass": "ARCHIVE"},
            ],
        },
    },
)
BASIC = gcp(
    pool("a2-highgpu-1g", name="taints", taints=TAINTS),
    storage={
        "warm": {
            "kind": "filestore",
            "tier": "BASIC_SSD",
            "capacityGib": 2560,
            "zone": "us-central1-a",
        }
    },
)


@cache
def declared_texts() -> Texts:
    plans = (*stacks_of("gcp"), EVERYTHING, BASIC)
    return texts_of((each.type, each.inputs) for plan in plans for each in declare(plan).resources)
