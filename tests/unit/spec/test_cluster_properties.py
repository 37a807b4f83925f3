"""Over many documents: each becomes pools with all invariants, or is refused; none crashes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.spec.cluster_documents import NOW, Document
from tests.unit.spec.drawn_documents import at_random, documents, repeatable
from tidegate.spec.cluster_plan import ClusterPlan, parse_cluster
from tidegate.spec.cluster_rules import check_cluster, cluster_errors, cluster_fabric
from tidegate.spec.errors import SpecError
from tidegate.spec.network_plan import gke_node_range, subnets
from tidegate.spec.node_pool import Placement
from tidegate.spec.resolved_pool import PURPOSE_LABEL, ResolvedPool
from tidegate.spec.storage_tiers import ManagedLustre

pytestmark = pytest.mark.unit

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "cloud", "zones", "pools", "network", "nodes", "capacity"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
DAMAGE = st.none() | st.integers() | st.text(max_size=4) | st.lists(st.integers(), max_size=2)


@repeatable(500)
@given(documents())
def test_a_plan_has_all_invariants_or_is_refused(document: Document) -> None:
    _check_document(document)


@pytest.mark.extended
@pytest.mark.timeout(900)
@at_random(5000)
@given(documents())
def test_many_plans_have_all_invariants_or_are_refused(document: Document) -> None:
    _check_document(document)


@repeatable(200)
@given(ANYTHING)
def test_anything_at_all_is_refused(content: object) -> None:
    with pytest.raises(SpecError):
        parse_cluster(content)


@pytest.mark.extended
@pytest.mark.timeout(900)
@at_random(5000)
@given(ANYTHING)
def test_very_much_at_all_is_refused(content: object) -> None:
    with pytest.raises(SpecError):
        parse_cluster(content)


@repeatable(200)
@given(documents(), st.data())
def test_a_damaged_plan_is_refused_or_still_works(document: Document, data: st.DataObject) -> None:
    _check_damaged(document, data)


@pytest.mark.extended
@pytest.mark.timeout(900)
@at_random(3000)
@given(documents(), st.data())
def test_many_damaged_plans_are_refused_or_still_work(
    document: Document, data: st.DataObject
) -> None:
    _check_damaged(document, data)


def _check_document(document: Document) -> None:
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


def _check_damaged(document: Document, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(document)))
    try:
        check_cluster(parse_cluster(document | {key: data.draw(DAMAGE)}), NOW)
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
