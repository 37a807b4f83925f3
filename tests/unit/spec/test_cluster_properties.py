"""Over many documents: each becomes pools with all invariants, or is refused; none crashes."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.unit.spec.cluster_documents import NOW, Document, aws, gcp
from tidegate.spec.catalogue import gpu_models, machine_types
from tidegate.spec.cluster_plan import ClusterPlan, parse_cluster
from tidegate.spec.cluster_rules import check_cluster, cluster_errors, cluster_fabric
from tidegate.spec.errors import SpecError
from tidegate.spec.network_plan import gke_node_range, subnets
from tidegate.spec.node_pool import Placement
from tidegate.spec.resolved_pool import PURPOSE_LABEL, ResolvedPool
from tidegate.spec.storage_tiers import ManagedLustre

pytestmark = pytest.mark.unit

# The same examples in every run; a time limit would depend on the machine.
FEWER = settings(max_examples=200, deadline=None, derandomize=True)
MANY = settings(FEWER, max_examples=500, suppress_health_check=[HealthCheck.too_slow])
AWS_ZONES = ["us-east-2a", "us-east-2b", "us-east-2c"]
GCP_ZONES = ["us-central1-a", "us-central1-b", "us-central1-c"]
PLACEMENTS = [
    {"compact": True},
    {"compact": False},
    {"policyName": "near"},
    {"topology": "1x72"},
    {"compact": True, "topology": "1x72"},
    {"topology": "1x72", "policyName": "near"},
]
PROFILES = sorted({profile for gpu in gpu_models() for profile in gpu.multi_instance})


def some_of(options: dict[str, SearchStrategy[Any]], most: int) -> SearchStrategy[Document]:
    """At most so many of the keys: with all of them hardly a document would be taken."""
    chosen = st.lists(st.sampled_from(sorted(options)), max_size=most, unique=True)
    return chosen.flatmap(lambda keys: st.fixed_dictionaries({key: options[key] for key in keys}))


def times() -> SearchStrategy[str]:
    return st.integers(1, 31).map(lambda day: f"2026-12-{day:02}T11:30:00Z") | st.just(
        "2026-11-20T11:30:00Z"
    )


def capacities(zones: list[str]) -> SearchStrategy[Document]:
    reservation = st.sampled_from(["cr-02168da1478b509e0", "gpus", "Gpus/1"])
    run = st.sampled_from([600, 86400, 604800, 700000])
    return st.one_of(
        st.sampled_from([{"kind": "onDemand"}, {"kind": "spot"}]),
        st.fixed_dictionaries(
            {"kind": st.just("reservation"), "reservation": reservation},
            optional={"project": st.just("other"), "block": st.just("b1"), "ends": times()},
        ),
        st.fixed_dictionaries(
            {
                "kind": st.just("capacityBlock"),
                "reservation": reservation,
                "zone": st.sampled_from(zones),
                "starts": times(),
                "ends": times(),
            }
        ),
        st.fixed_dictionaries({"kind": st.just("flexStart"), "maxRunSeconds": run}),
        st.fixed_dictionaries(
            {"kind": st.just("queued"), "maxRunSeconds": run, "flexStart": st.booleans()}
        ),
    )


def ranges() -> SearchStrategy[Document]:
    least, most = st.integers(0, 4), st.integers(1, 6) | st.integers(1, 70)
    return st.tuples(least, most).map(lambda pair: {"min": min(pair), "max": max(pair)})


def systems() -> SearchStrategy[Document]:
    return st.fixed_dictionaries({"nodes": ranges()})


def node_pools(cloud: str, zones: list[str]) -> SearchStrategy[Document]:
    own = machine_types("aws" if cloud == "aws" else "gcp")
    fabric = "efa" if cloud == "aws" else "gpuDirect"
    needed = st.fixed_dictionaries(
        {
            "name": st.sampled_from(["a", "b", "c", "d-1"]),
            "purpose": st.sampled_from(["training", "inference"]),
            "machineType": st.sampled_from([each.name for each in own]),
            "nodes": st.sampled_from([3, 6, 9]) | ranges(),
        },
        # Drawn more often than the options, because most go together in one zone only.
        optional={
            "zones": st.lists(st.sampled_from(zones), min_size=1, max_size=2),
            "placement": st.sampled_from(PLACEMENTS),
        },
    )
    options: dict[str, SearchStrategy[Any]] = {
        "fabric": st.fixed_dictionaries(
            {"kind": st.sampled_from(["none", fabric, fabric, "efa"])},
            optional={
                "interfaces": st.sampled_from([4, 8]),
                "mode": st.sampled_from(["explicit", "managed"]),
                "exposure": st.sampled_from(["devicePlugin", "dra"]),
            },
        ),
        "capacity": capacities(zones),
        "sharing": st.fixed_dictionaries(
            {},
            optional={
                "migProfile": st.sampled_from(PROFILES),
                "strategy": st.sampled_from(["timeSlicing", "mps"]),
                "clients": st.integers(1, 60),
            },
        ),
        "disks": st.fixed_dictionaries(
            {},
            optional={
                "bootType": st.sampled_from(["gp3", "pd-ssd", "hyperdisk-balanced"]),
                "local": st.sampled_from(["raid0", "ephemeral", "block", "none"]),
            },
        ),
        "image": st.fixed_dictionaries(
            {},
            optional={
                "family": st.sampled_from(["al2023", "bottlerocket", "cos", "ubuntu"]),
                "architecture": st.sampled_from(["x86_64", "arm64"]),
                "driver": st.sampled_from(["default", "latest", "disabled"]),
            },
        ),
        "maxPods": st.integers(8, 256),
        "repair": st.booleans(),
        "upgrade": st.fixed_dictionaries(
            {
                "strategy": st.sampled_from(["surge", "blueGreen"]),
                "maxSurge": st.integers(0, 2),
                "maxUnavailable": st.integers(0, 2),
            }
        ),
        "elastic": st.booleans(),
    }
    return st.builds(dict.__or__, needed, some_of(options, 3))


def storage(zones: list[str]) -> SearchStrategy[Document]:
    size = st.sampled_from([1200, 2400, 9000, 12000, 19200, 36000, 100000])
    zone = st.sampled_from(zones)
    hot = st.one_of(
        st.just({"kind": "localNvme"}),
        st.fixed_dictionaries(
            {"kind": st.just("fsxLustre"), "capacityGib": size, "zone": zone},
            optional={
                "throughput": st.sampled_from([125, 200, 250, 1000]),
                "efa": st.booleans(),
                "deploymentType": st.sampled_from(["PERSISTENT_2", "SCRATCH_2"]),
            },
        ),
        st.fixed_dictionaries(
            {
                "kind": st.just("managedLustre"),
                "capacityGib": size,
                "throughput": st.sampled_from([125, 250, 500, 1000]),
                "zone": zone,
            }
        ),
        st.fixed_dictionaries(
            {"kind": st.just("parallelstore"), "capacityGib": size, "zone": zone}
        ),
    )
    warm = st.just({"kind": "efs"}) | st.fixed_dictionaries(
        {"kind": st.just("filestore"), "capacityGib": size}, optional={"zone": zone}
    )
    return st.fixed_dictionaries({}, optional={"hot": hot, "warm": warm})


def networks() -> SearchStrategy[Document]:
    return st.fixed_dictionaries(
        {},
        optional={
            "cidr": st.sampled_from(["10.0.0.0/16", "10.0.0.0/12", "10.0.0.0/24"]),
            "nodePrefix": st.integers(16, 28),
            "publicPrefix": st.integers(20, 28),
            "podsCidr": st.sampled_from(["10.128.0.0/14", "10.128.0.0/20"]),
            "fabricCidr": st.sampled_from(["192.168.0.0/16", "192.168.0.0/28"]),
        },
    )


def documents() -> SearchStrategy[Document]:
    def with_cloud(cloud: str) -> SearchStrategy[Document]:
        zones = AWS_ZONES if cloud == "aws" else GCP_ZONES
        base = aws() if cloud == "aws" else gcp()
        return st.fixed_dictionaries(
            {"pools": st.lists(node_pools(cloud, zones), max_size=3)},
        ).flatmap(
            lambda more: some_of(
                {"storage": storage(zones), "network": networks(), "system": systems()}, 1
            ).map(lambda rest: base | more | rest)
        )

    return st.sampled_from(["aws", "gcp"]).flatmap(with_cloud)


@MANY
@given(documents())
def test_a_plan_has_all_invariants_or_is_refused(document: Document) -> None:
    try:
        plan = parse_cluster(document)
        pools = check_cluster(plan, NOW)
    except SpecError as error:
        assert error.field
        assert error.why
        assert error.instead
        return
    assert cluster_errors(plan, NOW) == ()
    assert len(pools) == len(plan.pools)
    _check_plan(plan)
    for pool in pools:
        _check_pool(plan, pool)


@FEWER
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["name", "cloud", "zones", "pools", "network", "nodes", "capacity"]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_anything_at_all_is_refused(content: object) -> None:
    with pytest.raises(SpecError):
        parse_cluster(content)


@FEWER
@given(documents(), st.data())
def test_a_damaged_plan_is_refused_or_still_works(document: Document, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(document)))
    damage = st.none() | st.integers() | st.text(max_size=4) | st.lists(st.integers(), max_size=2)
    try:
        check_cluster(parse_cluster(document | {key: data.draw(damage)}), NOW)
    except SpecError as error:
        assert error.instead


def _check_plan(plan: ClusterPlan) -> None:
    if plan.cloud == "aws":
        ranges = subnets(plan.network, plan.zones, plan.control_plane_zones)
        assert len({*ranges.private.values(), *ranges.public.values()}) == (
            len(plan.zones) + len(plan.control_plane_zones)
        )
    else:
        nodes, zones = plan.system.nodes, len(plan.zones)
        assert nodes.min <= nodes.first_by_zone(zones) * zones <= nodes.max
        assert gke_node_range(plan.network)
        with_lustre = isinstance(plan.storage.hot, ManagedLustre)
        assert not (with_lustre and any(each.image.family == "ubuntu" for each in plan.pools))
        networks = cluster_fabric(plan, NOW)
        used = [cidr for each in networks for cidr in (*each.gvnic_ranges, *each.rdma_ranges)]
        assert len(used) == len(set(used))


def _check_pool(plan: ClusterPlan, pool: ResolvedPool) -> None:
    assert set(pool.zones) <= set(plan.zones)
    assert {"nvidia.com/gpu", PURPOSE_LABEL} <= {taint.key for taint in pool.taints}
    assert pool.labels[PURPOSE_LABEL] == pool.pool.purpose
    assert (pool.eks is None) != (pool.gke is None)
    assert pool.accelerator_pool().gpus_per_node >= pool.machine.gpu.count
    if pool.pool.fabric.kind != "none" or pool.pool.placement.compact:
        assert len(pool.zones) == 1 or not pool.machine.one_zone_fabric
    _check_interfaces(pool)
    if pool.gke is not None:
        _check_gke(pool)


def _check_interfaces(pool: ResolvedPool) -> None:
    own, *fabric = pool.interfaces
    assert (own.card, own.device, own.type) == (0, 0, "interface")
    assert len({(each.card, each.device) for each in pool.interfaces}) == len(pool.interfaces)
    assert all(before.card < after.card for before, after in pairwise(fabric))
    if pool.pool.fabric.kind == "efa":
        assert len(fabric) in {layout.count for layout in pool.machine.efa}
    else:
        assert not fabric


def _check_gke(pool: ResolvedPool) -> None:
    plan = pool.gke
    assert plan is not None
    assert not (plan.flex_start and plan.auto_repair)
    assert not (plan.flex_start and pool.pool.is_static)
    assert not (plan.queued and (pool.pool.nodes_min or plan.placement_type))
    assert not (plan.spot and plan.reservation_values)
    placement = pool.pool.placement
    assert bool(plan.placement_type) == (placement != Placement())
    assert not (plan.placement_type and plan.upgrade_strategy == "BLUE_GREEN")
    assert not (plan.placement_type and len(pool.zones) > 1)
    assert not (plan.placement_type and plan.flex_start and not pool.machine.flex_start_compact)
    assert not (placement.topology and placement.policy_name)
    assert (plan.reservation_affinity == "SPECIFIC_RESERVATION") == bool(plan.reservation_values)
    assert not (plan.gpu_partition_size and plan.sharing_strategy == "MPS")
    if plan.nodes_by_zone is not None:
        assert plan.nodes_by_zone * len(pool.zones) == pool.pool.nodes_max
    if plan.first_by_zone is not None:
        first = plan.first_by_zone * len(pool.zones)
        assert pool.pool.nodes_min <= first <= pool.pool.nodes_max
        assert first < pool.pool.nodes_min + len(pool.zones)
