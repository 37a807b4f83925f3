"""Counters out of what Envoys write for Prometheus."""

from datetime import UTC, datetime, timedelta

import pytest

from tidegate.traffic.gateway_api.envoys import Envoy
from tidegate.traffic.gateway_api.prometheus_text import samples
from tidegate.traffic.gateway_api.statistics import ProtocolCounts, counts
from tidegate.traffic.gateway_api.totals import Totals, bins
from tidegate.traffic.router import LatencyBin

pytestmark = pytest.mark.unit

NAMESPACE, REVISION = "team-a", "digits-2-bbbbbbbb"
HTTP = f'envoy_cluster_name="service/{NAMESPACE}/{REVISION}/8000/http"'
GRPC = f'envoy_cluster_name="service/{NAMESPACE}/{REVISION}/8001/grpc"'
OTHER = f'envoy_cluster_name="service/{NAMESPACE}/{REVISION}b/8000/http"'
TEXT = f"""
# TYPE envoy_cluster_upstream_rq_completed counter
envoy_cluster_upstream_rq_completed{{{HTTP}}} 120
envoy_cluster_upstream_rq_completed{{{GRPC}}} 43
envoy_cluster_upstream_rq_completed{{{OTHER}}} 7777
envoy_cluster_upstream_rq_xx{{envoy_response_code_class="2",{HTTP}}} 110
envoy_cluster_upstream_rq_xx{{envoy_response_code_class="4",{HTTP}}} 3
envoy_cluster_upstream_rq_xx{{envoy_response_code_class="5",{HTTP}}} 7
envoy_cluster_upstream_rq_xx{{envoy_response_code_class="5",{GRPC}}} 1
envoy_cluster_grpc_ModelInfer_total{{envoy_grpc_bridge_service="inference",{GRPC}}} 40
envoy_cluster_grpc_ModelInfer_failure{{envoy_grpc_bridge_service="inference",{GRPC}}} 5
envoy_cluster_grpc_ServerLive_total{{envoy_grpc_bridge_service="inference",{GRPC}}} 3
envoy_cluster_grpc_ServerLive_failure{{envoy_grpc_bridge_service="inference",{GRPC}}} 2
envoy_cluster_upstream_rq_retry{{{HTTP}}} 2
envoy_cluster_upstream_rq_active{{{HTTP}}} 4
envoy_cluster_upstream_rq_active{{{GRPC}}} 1
envoy_cluster_membership_healthy{{{HTTP}}} 2
# TYPE envoy_cluster_upstream_rq_time histogram
envoy_cluster_upstream_rq_time_bucket{{{HTTP},le="1"}} 10
envoy_cluster_upstream_rq_time_bucket{{{HTTP},le="2"}} 10
envoy_cluster_upstream_rq_time_bucket{{{HTTP},le="4"}} 100
envoy_cluster_upstream_rq_time_bucket{{{HTTP},le="+Inf"}} 120
envoy_cluster_upstream_rq_time_sum{{{HTTP}}} 321.5
"""


def counted(requests: int, errors: int = 0) -> list[ProtocolCounts]:
    return [ProtocolCounts(requests=requests, failed=errors)]


def test_a_revisions_counters_are_told_apart_by_protocol() -> None:
    found = counts(samples(TEXT), NAMESPACE, REVISION)

    http, grpc = found["http"], found["grpc"]
    assert (http.requests, http.errors, http.retries, http.active) == (120, 10, 2, 4)
    assert http.healthy_endpoints == 2
    assert (grpc.requests, grpc.errors, grpc.active) == (40, 5, 1)
    assert grpc.healthy_endpoints is None


def test_an_unknown_revision_has_no_counters() -> None:
    assert counts(samples(TEXT), NAMESPACE, "digits-9-ffffffff") == {}


def test_cumulative_buckets_become_bins() -> None:
    found = counts(samples(TEXT), NAMESPACE, REVISION)

    assert bins(found["http"].latency) == {(0.0, 1.0): 10, (2.0, 4.0): 90, (4.0, 8.0): 20}


def test_latencies_are_seconds_in_ascending_order() -> None:
    found = counts(samples(TEXT), NAMESPACE, REVISION)

    counters = Totals().update({envoy("a"): found.values()})
    assert (counters.requests, counters.errors, counters.retries) == (160, 15, 2)
    assert counters.latency == (
        LatencyBin(0.0, 0.001, 10),
        LatencyBin(0.002, 0.002, 90),
        LatencyBin(0.004, 0.004, 20),
    )


def test_sums_over_envoys_never_fall() -> None:
    totals = Totals()
    a, b, c = envoy("a"), envoy("b"), envoy("c", begun=timedelta(seconds=5))

    assert totals.update({a: counted(100, 1), b: counted(50)}).requests == 150
    assert totals.update({a: counted(110, 2)}).requests == 160  # b has gone
    assert totals.update({a: counted(110, 2), c: counted(5)}).requests == 165
    # a has begun anew
    after = totals.update({a: counted(7), c: counted(6)})
    assert (after.requests, after.errors) == (173, 2)


@pytest.mark.parametrize("begun", [timedelta(days=-3), None])
def test_an_envoy_that_was_silent_at_first_adds_what_comes_from_then_on(
    begun: timedelta | None,
) -> None:
    totals = Totals()
    a, late = envoy("a"), envoy("late", begun=begun)

    assert totals.update({a: counted(100)}).requests == 100
    assert totals.update({a: counted(100), late: counted(5_000_000, 70)}).requests == 100
    after = totals.update({a: counted(100), late: counted(5_000_009, 71)})
    assert (after.requests, after.errors) == (109, 1)


def envoy(name: str, begun: timedelta | None = timedelta(days=-3)) -> Envoy:
    """One whose container began so long after now."""
    started_at = datetime.now(UTC) + begun if begun is not None else None
    return Envoy(name, f"{name}/0", "10.0.0.1", started_at=started_at)


def test_lines_that_are_no_samples_are_left_out() -> None:
    text = 'a{b="x\\"y\\\\z"} 1\n\n# HELP nothing\nnonsense here and there\nplain 2.5\n'

    found = list(samples(text))
    assert [(each.name, dict(each.labels), each.value) for each in found] == [
        ("a", {"b": 'x"y\\z'}, 1.0),
        ("plain", {}, 2.5),
    ]
