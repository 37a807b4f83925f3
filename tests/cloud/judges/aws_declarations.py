"""What clusters on AWS are declared with: the repository's stacks, and a plan with all else."""

from functools import cache
from typing import Any

from tests.cloud.judges.declared_texts import Texts, stacks_of, texts_of
from tests.unit.aws.declared import declare
from tests.unit.spec.cluster_documents import Document, aws, pool

ZONE: Document = {"zones": ["us-east-2a"]}
TAINTS = [
    {"key": f"example.com/{effect.lower()}", "effect": effect}
    for effect in ("NoSchedule", "PreferNoSchedule", "NoExecute")
]
CLASSES = ("STANDARD_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")
BUCKET: Document = {"kind": "bucket", "namePrefix": "releases"}


def reserved(number: int) -> Document:
    return {"kind": "reservation", "reservation": f"cr-{number:017}"}


def block(number: int) -> Document:
    times = {"starts": "2026-11-20T11:30:00Z", "ends": "2026-11-30T11:30:00Z"}
    return reserved(number) | {"kind": "capacityBlock", "zone": "us-east-2a"} | times


def elastic(name: str, machine: str, **changes: Any) -> Document:
    return pool(machine, name=name, purpose="inference", elastic=True, **changes)


def plans() -> tuple[Document, ...]:
    """The stacks', then plans with every kind of capacity, image, disk, taint and storage."""
    return (
        *stacks_of("aws"),
        aws(
            pool("p5.48xlarge", name="block", capacity=block(1), fabric={"kind": "efa"}, **ZONE),
            pool("p4d.24xlarge", name="near", placement={"compact": True}, taints=TAINTS, **ZONE),
            pool("p6e-gb200.36xlarge", name="arm", capacity=block(2), **ZONE),
            pool(
                "g6e.12xlarge",
                name="lean",
                image={"family": "bottlerocket"},
                disks={"bootType": "gp3"},
            ),
            pool("g6.12xlarge", name="kept", capacity=reserved(3), **ZONE),
            pool("g6.8xlarge", name="spot", capacity={"kind": "spot"}),
            elastic("demand", "g6.4xlarge"),
            elastic("cheap", "g6.2xlarge", capacity={"kind": "spot"}),
            elastic("held", "g6.16xlarge", capacity=reserved(4), **ZONE),
            admins=["arn:aws:iam::123456789012:role/platform"],
            adminCidrs=["203.0.113.0/24"],
            system={"machineType": "m7g.xlarge"},
            storage={
                "hot": {"kind": "fsxLustre", "deploymentType": "SCRATCH_2", "capacityGib": 2400}
                | {"zone": "us-east-2a", "repositoryPrefix": "data"},
                "warm": {"kind": "efs", "throughputMode": "provisioned", "provisionedMibps": 128},
                "cold": BUCKET
                | {
                    "lockDays": 30,
                    "transitions": [
                        {"afterDays": 30 * (1 + at), "storageClass": each}
                        for at, each in enumerate(CLASSES)
                    ],
                },
            },
        ),
        aws(storage={"warm": {"kind": "efs", "throughputMode": "bursting"}, "cold": BUCKET}),
    )


@cache
def declared_texts() -> Texts:
    return texts_of(
        (each.type, each.inputs) for document in plans() for each in declare(document).resources
    )
