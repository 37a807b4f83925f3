"""What cannot work on any cloud, refused in the preview."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.spec.cluster_documents import (
    NOW,
    Case,
    Document,
    aws,
    check_refusal,
    gcp,
    pool,
    resolved,
)
from tidegate.spec.cluster_plan import load_cluster, parse_cluster
from tidegate.spec.cluster_rules import check_cluster, cluster_errors
from tidegate.spec.errors import SpecError
from tidegate.spec.refusals import Refused

pytestmark = pytest.mark.unit

ZONE = ["us-east-2a"]
SPOT = {"kind": "spot"}
RESERVATION = {"kind": "reservation", "reservation": "cr-02168da1478b509e0"}


def shared(machine: str = "p5.48xlarge", purpose: str = "inference", **sharing: Any) -> Document:
    return aws(pool(machine, purpose=purpose, sharing=sharing))


MACHINES = [
    Case("unknown type", aws(pool("p5.42xlarge")), "machineType", "p5.42xlarge", "'p5.48xlarge'"),
    Case("Google's type", aws(pool("a3-megagpu-8g")), "machineType", "a3-megagpu-8g", "one of aws"),
    Case("AWS's type", gcp(pool("p5.48xlarge")), "machineType", "p5.48xlarge", "one of gcp"),
    Case(
        "GPU that does not exist",
        aws(pool("", machineType=None, accelerators={"model": "h1000", "perNode": 8})),
        "model",
        "h1000",
        "'h100'",
    ),
    Case(
        "GPU that the cloud does not have",
        gcp(pool("", machineType=None, accelerators={"model": "b300", "perNode": 8})),
        "accelerators.model",
        "b300",
        "b200",
    ),
    Case(
        "count of GPUs that no type has",
        gcp(pool("", machineType=None, accelerators={"model": "h200", "perNode": 4})),
        "accelerators.perNode",
        4,
        "one of 8",
    ),
    Case(
        "GPUs that several types have",
        aws(pool("", machineType=None, accelerators={"model": "h200", "perNode": 8})),
        "accelerators",
        "8 x h200",
        "p5e.48xlarge, p5en.48xlarge",
    ),
]

SHARING = [
    Case("MPS with MIG", shared(migProfile="1g.10gb", strategy="mps", clients=4),
         "sharing.strategy", "mps", "timeSlicing goes with MIG"),
    Case("MIG profile of another GPU", shared(migProfile="1g.18gb"),
         "sharing.migProfile", "1g.18gb", "1g.10gb, 1g.20gb"),
    Case("MIG on a GPU without it", shared("g6e.xlarge", migProfile="1g.10gb"),
         "sharing.migProfile", "1g.10gb", "no migProfile"),
    Case("more clients than share a GPU", shared(strategy="mps", clients=49),
         "sharing.clients", 49, "2 to 48"),
    Case("sharing with oneself", shared(strategy="timeSlicing", clients=1),
         "sharing.clients", 1, "2 to 48"),
    Case("sharing without a number", shared(strategy="timeSlicing"),
         "sharing.clients", None, "2 to 48"),
    Case("clients that share in no way", shared(clients=4),
         "sharing.clients", 4, "strategy: timeSlicing"),
    Case("time-sliced training", shared(purpose="training", strategy="timeSlicing", clients=2),
         "sharing.strategy", "timeSlicing", "migProfile"),
]  # fmt: skip

POOLS = [
    Case("zone without a subnet", aws(pool("p5.48xlarge", zones=["us-east-2d"])),
         "pools.gpus.zones", "us-east-2d", "us-east-2a"),
    Case("zone named twice", aws(pool("p5.48xlarge", zones=["us-east-2a", "us-east-2a"])),
         "pools.gpus.zones", "us-east-2a", "each zone once"),
    Case("compact over two zones",
         aws(pool("p5.48xlarge", zones=["us-east-2a", "us-east-2b"], placement={"compact": True})),
         "placement.compact", True, "zones: [us-east-2a]"),
    Case("label of Kubernetes", aws(pool("p5.48xlarge", labels={"node.kubernetes.io/x": "1"})),
         "labels", "node.kubernetes.io/x", "example.com/"),
    Case("taint of tidegate", aws(pool("p5.48xlarge", taints=[{"key": "tidegate.dev/purpose"}])),
         "taints", "tidegate.dev/purpose", "example.com/"),
    Case("taint that is there already",
         aws(pool("p5.48xlarge", taints=[{"key": "nvidia.com/gpu"}])),
         "taints", "nvidia.com/gpu", "leave it out"),
    Case("upgrade that cannot proceed",
         aws(pool("p5.48xlarge", upgrade={"maxSurge": 0, "maxUnavailable": 0})),
         "upgrade.maxUnavailable", 0, "maxUnavailable: 1"),
    Case("two pools of one name", aws(pool("p5.48xlarge"), pool("g6e.xlarge")),
         "pools", "gpus", "a name for each"),
    Case("spot for all of serving",
         aws(pool("g6e.xlarge", purpose="inference", capacity=SPOT), pool("p5.48xlarge", name="b")),
         "pools", "gpus", "one pool for inference with onDemand"),
    Case("training on the reservation of serving",
         aws(pool("p5.48xlarge", capacity=RESERVATION, zones=ZONE),
             pool("g6e.xlarge", name="serve", purpose="inference", capacity=RESERVATION,
                  zones=ZONE)),
         "pools", "gpus, serve", "a reservation for each purpose"),
    Case("no machine named", aws(pool("", machineType=None)), "cluster: pools.gpus.machineType",
         None, "either machineType or accelerators"),
    Case("no nodes at all", aws(pool("p5.48xlarge", nodes=0)), "pools.gpus.nodes", 0,
         "1 or more"),
    Case("range upside down", aws(pool("p5.48xlarge", nodes={"min": 4, "max": 2})),
         "cluster: pools.gpus.nodes.max", 2, "max: 4 or more"),
    Case("unknown purpose", aws(pool("p5.48xlarge", purpose="serving")),
         "purpose", "serving", "'training' or 'inference'"),
    Case("unknown capacity", aws(pool("p5.48xlarge", capacity={"kind": "preemptible"})),
         "cluster: pools.gpus.capacity.kind", "preemptible", "'onDemand', 'spot'"),
    Case("end without a time zone",
         aws(pool("p5.48xlarge", capacity=RESERVATION | {"ends": "2026-12-01T00:00:00"})),
         "pools.gpus.capacity.ends", "2026-12-01T00:00:00", "such as 2026-11-20T11:30:00Z"),
]  # fmt: skip

ADMIN = "arn:aws:iam::123456789012:role/platform"
CLUSTER = [
    Case("zone of another region", aws(zones=["us-east-2a", "us-west-2b"]),
         "zones", "us-west-2b", "us-east-2a"),
    Case("zone named twice", gcp(zones=["us-central1-a", "us-central1-a"]),
         "zones", "us-central1-a", "each zone once"),
    Case("AWS's region", gcp(region="us-east-2", zones=["us-east-2-a"], project="acme"),
         "region", "us-east-2", "us-central1"),
    Case("Google's region", aws(region="us-east2", zones=["us-east2a", "us-east2b"]),
         "region", "us-east2", "us-east-2"),
    Case("project of no cloud account", gcp(project=None), "project", None, "id of the project"),
    Case("project on AWS", aws(project="acme"), "project", "acme", "leave it out"),
    Case("GKE's version on AWS", aws(gkeVersion="1.34.1-gke.1829001"),
         "gkeVersion", "1.34.1-gke.1829001", "kubernetesVersion"),
    Case("versions that differ", gcp(kubernetesVersion="1.35"),
         "gkeVersion", "1.34.1-gke.1829001", "begins with 1.35."),
    Case("API open to the internet", aws(adminCidrs=["0.0.0.0/0"]),
         "adminCidrs", "0.0.0.0/0", "the ranges of the people"),
    Case("private address reached from the internet", aws(privateAdminCidrs=["203.0.113.0/24"]),
         "privateAdminCidrs", "203.0.113.0/24", "or adminCidrs"),
    Case("private range named twice", aws(privateAdminCidrs=["10.9.0.0/16", "10.9.0.0/16"]),
         "privateAdminCidrs", "10.9.0.0/16", "each range once"),
    Case("private address of GKE", gcp(privateAdminCidrs=["10.9.0.0/16"]),
         "privateAdminCidrs", "10.9.0.0/16", "adminCidrs"),
    Case("administrator that is a group",
         aws(admins=["arn:aws:iam::123456789012:group/platform"]),
         "admins", "arn:aws:iam::123456789012:group/platform", "role/platform"),
    Case("administrator named twice", aws(admins=[ADMIN, ADMIN]),
         "admins", ADMIN, "each role or user once"),
    Case("administrators of GKE", gcp(admins=[ADMIN]), "admins", ADMIN, "roles/container.admin"),
    Case("region in China", aws(region="cn-north-1", zones=["cn-north-1a", "cn-north-1b"]),
         "region", "cn-north-1", "GovCloud"),
    Case("range with host bits", aws(adminCidrs=["10.1.2.3/8"]),
         "adminCidrs.0", "10.1.2.3/8", "such as 10.0.0.0/16"),
    Case("GPUs for controllers", aws(system={"machineType": "g6e.xlarge"}),
         "system.machineType", "g6e.xlarge", "m7i.xlarge"),
    Case("no nodes for controllers", aws(system={"nodes": {"min": 0, "max": 3}}),
         "system.nodes.min", 0, "min: 2"),
    Case("owner that Google refuses as a label",
         aws(ownership={"owner": "Ann@example.com", "team": "a", "environment": "b"}),
         "ownership.owner", "Ann@example.com", "lower-case letters"),
    Case("transitions out of order",
         aws(storage={"cold": {"kind": "bucket", "namePrefix": "acme", "transitions": [
             {"afterDays": 60, "storageClass": "GLACIER"},
             {"afterDays": 30, "storageClass": "DEEP_ARCHIVE"}]}}),
         "storage.cold.transitions.afterDays", [60, 30], "in the order of afterDays"),
    Case("misspelt key", aws(storrage={}), "storrage", {}, "'storage'"),
]  # fmt: skip

CASES = [*MACHINES, *SHARING, *POOLS, *CLUSTER]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_refused_with_field_value_and_mend(case: Case) -> None:
    check_refusal(case)


@pytest.mark.parametrize(
    "document",
    [
        shared(migProfile="1g.10gb", strategy="timeSlicing", clients=2),
        shared(strategy="mps", clients=48),
        shared(purpose="training", migProfile="3g.40gb"),
        aws(
            pool("g6e.xlarge", purpose="inference", capacity=SPOT),
            pool("g6e.xlarge", purpose="inference", name="base"),
        ),
        aws(pool("", machineType=None, accelerators={"model": "b300", "perNode": 8})),
        aws(pool("p5.48xlarge", labels={"example.com/rack": "7"}, taints=[{"key": "batch"}])),
    ],
)
def test_the_like_is_taken(document: Document) -> None:
    resolved(document)


def test_every_finding_is_told_at_once() -> None:
    document = aws(
        pool("p5.48xlarge", repair=True, image={"architecture": "arm64"}),
        pool("g6e.xlarge", name="serve", fabric={"kind": "efa"}, zones=["us-east-2a"]),
        adminCidrs=["0.0.0.0/0"],
    )
    plan = parse_cluster(document)
    with pytest.raises(Refused) as caught:
        check_cluster(plan, NOW)
    fields = [error.field for error in caught.value.errors]
    assert fields == ["adminCidrs", "pools.gpus.image.architecture", "pools.serve.fabric.kind"]
    assert [error.field for error in cluster_errors(plan, NOW)] == fields
    message = str(caught.value)
    assert "3 settings cannot work" in message
    assert all(field in message for field in fields)


def test_a_file_that_is_no_plan_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    with pytest.raises(SpecError, match=r"cluster\.yaml"):
        load_cluster(path)
    path.write_text("[]")
    with pytest.raises(SpecError, match=r"cluster\.yaml"):
        load_cluster(path)
