"""What has not the shape of its document: every finding, in words, with what to write."""

from typing import Any

import pytest

from tests.unit.spec.cluster_documents import Case, Document, aws, check_refusal, pool, refusal
from tidegate.spec.cluster_plan import parse_cluster
from tidegate.spec.errors import SpecError
from tidegate.spec.refusals import Refused

pytestmark = pytest.mark.unit

FSX = {"kind": "fsxLustre", "capacityGib": 1200, "zone": "us-east-2a"}
SEVEN = [f"us-east-2{letter}" for letter in "abcdefg"]
RESERVED = {"kind": "reservation", "reservation": "r"}


def p5(**changes: Any) -> Document:
    return aws(pool("p5.48xlarge", **changes))


def with_owner(**changes: Any) -> Document:
    return aws(ownership={"owner": "platform", "team": "serving", "environment": "prod"} | changes)


def with_bucket(**changes: Any) -> Document:
    return aws(storage={"cold": {"kind": "bucket", "namePrefix": "releases"} | changes})


CASES = [
    Case("unknown key like a known one", p5(machinType="x"),
         "cluster: pools.gpus.machinType", "x", "'machineType'"),
    Case("unknown key like no other", p5(upgrade={"x": 1}),
         "pools.gpus.upgrade.x", 1, "there are: maxSurge, maxUnavailable, strategy"),
    Case("unknown key in one kind of several", p5(capacity=RESERVED | {"blok": 1}),
         "cluster: pools.gpus.capacity.blok", 1, "'block'"),
    Case("unknown key of the plan", aws(pol=[]), "cluster: pol", [], "'pools'"),
    Case("nothing where a text is needed", aws(region=None), "cluster: region", None, "a text"),
    Case("missing key of one kind", p5(capacity={"kind": "reservation"}),
         "cluster: pools.gpus.capacity.reservation", None, "add 'reservation'"),
    Case("value like one of several", p5(purpose="inferense"),
         "pools.gpus.purpose", "inferense", "'inference'; one of 'training' or 'inference'"),
    Case("unknown kind", p5(capacity={"kind": "spt"}), "pools.gpus.capacity.kind", "spt", "'spot'"),
    Case("no kind", p5(capacity={}), "pools.gpus.capacity.kind", None, "add 'kind'"),
    Case("too small", p5(maxPods=4), "pools.gpus.maxPods", 4, "8 or more"),
    Case("too large", p5(disks={"bootGib": 20000}), "disks.bootGib", 20000, "16384 or less"),
    Case("too many", aws(zones=SEVEN), "cluster: zones", SEVEN, "6 or fewer"),
    Case("no number", p5(maxPods="many"), "maxPods", "many", "a whole number"),
    Case("no whole number", p5(nodes=1.5), "pools.gpus.nodes", 1.5, "a whole number"),
    Case("neither true nor false", p5(repair="perhaps"), "repair", "perhaps", "true or false"),
    Case("no list", p5(taints="a"), "taints", "a", "a list, such as [a, b]"),
    Case("no keys", p5(fabric="efa"), "fabric", "efa", "keys with values"),
    Case("number for a text", aws(kubernetesVersion=1.34), "kubernetesVersion", 1.34,
         "write '1.34' in quotes"),
    Case("no time", p5(capacity=RESERVED | {"ends": "soon"}),
         "cluster: pools.gpus.capacity.ends", "soon", "2026-11-20T11:30:00Z"),
    Case("name of a cluster", aws(name="GPU prod"), "cluster: name", "GPU prod", "'gpu-prod'"),
    Case("name of a pool", p5(name="Train_1"), "pools.Train_1.name", "Train_1", "'train-1'"),
    Case("region", aws(region="Ohio"), "cluster: region", "Ohio", "such as us-east-1"),
    Case("version", aws(kubernetesVersion="v1.34"), "kubernetesVersion", "v1.34", '"1.34"'),
    Case("version of GKE", aws(gkeVersion="1.34"), "gkeVersion", "1.34", "1.34.1-gke.1829001"),
    Case("key of a label", p5(labels={"a b": "1"}), "labels.a b", "a b", "example.com/team"),
    Case("value of a label", p5(labels={"a": "b c"}), "labels.a", "b c", "team-a"),
    Case("key of a taint", p5(taints=[{"key": "a b"}]), "taints.0.key", "a b",
         "example.com/reserved"),
    Case("value of a taint", p5(taints=[{"key": "a", "value": "b c"}]), "taints.0.value", "b c",
         "team-a"),
    Case("owner", with_owner(owner="Me!"), "ownership.owner", "Me!", "'me'"),
    Case("key of an owner's label", with_owner(more={"Cost": "1"}), "more.Cost", "Cost", "'cost'"),
    Case("prefix of a bucket", with_bucket(namePrefix="A_b"), "namePrefix", "A_b", "'a-b'"),
    Case("folder of a repository", aws(storage={"hot": FSX | {"repositoryPath": "data"}}),
         "storage.hot.repositoryPath", "data", "/data"),
    Case("prefix of a repository", aws(storage={"hot": FSX | {"repositoryPrefix": "a b"}}),
         "storage.hot.repositoryPrefix", "a b", "checkpoints"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda each: each.name)
def test_a_wrong_shape_is_refused_in_words(case: Case) -> None:
    check_refusal(case)
    error = refusal(case.document)
    for word in ("Input should", "pattern", "Value error", "does not fit", "breaks a rule"):
        assert word not in str(error)


def test_every_finding_is_told() -> None:
    with pytest.raises(Refused) as caught:
        parse_cluster(p5(maxPods=4, purpose="both") | {"region": "Ohio"})
    assert [each.field for each in caught.value.errors] == [
        "cluster: region",
        "cluster: pools.gpus.purpose",
        "cluster: pools.gpus.maxPods",
    ]
    assert str(caught.value).startswith("3 settings cannot work:\n- cluster: region: 'Ohio' ")


@pytest.mark.parametrize("content", [None, [], "plan", 3])
def test_what_is_no_document_is_refused_by_its_name(content: object) -> None:
    with pytest.raises(SpecError) as caught:
        parse_cluster(content, "cluster.yaml")
    assert caught.value.field == "cluster.yaml"
    assert "keys with values" in caught.value.instead
