from ipaddress import IPv4Network
from itertools import combinations

import pytest

from tests.unit.spec.cluster_documents import NOW, aws, gcp, pool, resolved
from tidegate.spec.cluster_plan import parse_cluster
from tidegate.spec.cluster_rules import cluster_fabric
from tidegate.spec.errors import SpecError
from tidegate.spec.network_plan import (
    NetworkPlan,
    aws_node_addresses,
    fabric_subnets,
    gke_node_block,
    gke_node_range,
    subnets,
)

pytestmark = pytest.mark.unit

ZONES = ("us-east-2a", "us-east-2b", "us-east-2c")


def test_subnets_lie_in_the_vpc_and_apart() -> None:
    plan = NetworkPlan()
    found = subnets(plan, ZONES, ZONES)
    ranges = [IPv4Network(each) for each in (*found.private.values(), *found.public.values())]
    assert all(each.subnet_of(IPv4Network(plan.cidr)) for each in ranges)
    assert not any(one.overlaps(other) for one, other in combinations(ranges, 2))
    assert {each.prefixlen for each in map(IPv4Network, found.private.values())} == {19}


def test_a_zone_more_moves_no_other() -> None:
    plan = NetworkPlan()
    two, three = subnets(plan, ZONES[:2], ZONES[:2]), subnets(plan, ZONES, ZONES)
    assert all(three.private[zone] == two.private[zone] for zone in ZONES[:2])
    assert all(three.public[zone] == two.public[zone] for zone in ZONES[:2])


def test_ranges_exactly_full_fit() -> None:
    plan = NetworkPlan(cidr="10.0.0.0/24", node_prefix=26, public_prefix=28)
    assert len(subnets(plan, ZONES, ZONES).private) == 3
    with pytest.raises(SpecError, match="do not fit"):
        subnets(plan, (*ZONES, "us-east-2d"), ZONES)


def test_a_local_zone_has_no_public_range_and_moves_none() -> None:
    zones = (ZONES[0], "us-east-2-dfw-2a", ZONES[1])
    found = subnets(NetworkPlan(), zones, ZONES[:2])
    assert set(found.private) == set(zones)
    assert found.public == subnets(NetworkPlan(), ZONES[:2], ZONES[:2]).public


@pytest.mark.parametrize(
    ("max_pods", "block"), [(8, 16), (9, 32), (16, 32), (32, 64), (64, 128), (110, 256), (256, 512)]
)
def test_gke_gives_a_node_twice_its_pods(max_pods: int, block: int) -> None:
    """The table of https://cloud.google.com/kubernetes-engine/docs/how-to/flexible-pod-cidr"""
    assert gke_node_block(max_pods) == block


def test_aws_gives_a_node_blocks_for_its_pods_and_one_more() -> None:
    assert aws_node_addresses(110) == 1 + (7 + 1) * 16
    assert aws_node_addresses(16) == 1 + (1 + 1) * 16


def test_fabric_ranges_follow_each_other() -> None:
    assert fabric_subnets(NetworkPlan(), 2) == ("192.168.0.0/24", "192.168.1.0/24")
    with pytest.raises(SpecError, match="fabricCidr"):
        fabric_subnets(NetworkPlan(fabric_cidr="192.168.0.0/23"), 3)


def test_nodes_of_google_cloud_have_one_range() -> None:
    assert gke_node_range(NetworkPlan(cidr="10.8.0.0/16", node_prefix=20)) == "10.8.0.0/20"


def test_pools_share_the_networks_of_their_fabric() -> None:
    direct = {"kind": "gpuDirect"}
    mega = pool("a3-megagpu-8g", name="mega", fabric=direct)
    more = pool("a3-megagpu-8g", name="more", fabric=direct)
    ultra = pool("a3-ultragpu-8g", name="ultra", fabric=direct, zones=["us-central1-b"])
    plain = pool("g2-standard-4", name="plain")
    together = cluster_fabric(parse_cluster(gcp(mega, more, ultra, plain)), NOW)
    rdma, tcpxo = sorted(together, key=lambda each: each.technology)
    assert tcpxo.pools == ("mega", "more")
    assert (len(tcpxo.gvnic_ranges), len(tcpxo.rdma_ranges)) == (8, 0)
    assert (len(rdma.gvnic_ranges), len(rdma.rdma_ranges)) == (1, 8)
    assert rdma.profile == "us-central1-b-vpc-roce"
    assert (tcpxo.mtu, rdma.mtu) == (8244, 8896)
    alone = cluster_fabric(parse_cluster(gcp(ultra)), NOW)
    assert alone[0] == rdma, "ranges move when another pool goes"


def test_networks_that_gke_attaches_are_not_declared() -> None:
    managed = {"kind": "gpuDirect", "mode": "managed"}
    document = gcp(pool("a3-ultragpu-8g", fabric=managed, zones=["us-central1-b"]))
    assert cluster_fabric(parse_cluster(document), NOW) == ()
    networks = resolved(document)[0].networks
    assert networks is not None
    assert (networks.gvnic, networks.rdma_subnetworks) == (0, 0)


def test_a_block_of_pods_that_just_fits_is_taken() -> None:
    """Nodes of the pool and of the system, 129 addresses each: 15 x 129 is below 2043."""
    resolved(aws(pool("p5.48xlarge", nodes={"min": 0, "max": 13}), network={"nodePrefix": 21}))
    with pytest.raises(SpecError, match="nodePrefix"):
        resolved(aws(pool("p5.48xlarge", nodes={"min": 0, "max": 14}), network={"nodePrefix": 21}))
