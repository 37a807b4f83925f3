"""Envoy's answer to `/stats`, as the real one gives it, read as what users have met."""

import re
from collections.abc import Iterable
from typing import Any

import pytest

from tidegate.traffic.envoy.user_statistics import statistics_pattern, user_counters
from tidegate.traffic.router import UserCounters

pytestmark = pytest.mark.unit

REVISION = "digits-1-a"


def name(
    statistic: str = "requests",
    *,
    cluster: str = f"{REVISION}-http",
    route: str = "unary",
    status: int = 200,
    grpc: str = "",
    flags: str = "-",
) -> str:
    return (
        f"users.{statistic}.cluster.{cluster}.route.{route}.status.{status}"
        f".grpc.{grpc}.flags.{flags}"
    )


def counter(value: int, *arguments: str, **tags: Any) -> dict[str, Any]:
    return {"name": name(*arguments, **tags), "value": value}


def histograms(details: Iterable[tuple[str, list[tuple[float, float, int]]]]) -> dict[str, Any]:
    found = [
        {
            "name": each,
            "totals": [
                {"lower_bound": lower, "width": width, "count": count}
                for lower, width, count in bins
            ],
            "intervals": [],
        }
        for each, bins in details
    ]
    return {"histograms": {"supported_percentiles": [], "details": found}}


def microseconds(counters: UserCounters) -> list[tuple[int, int, int]]:
    """Lower bound, width and count of every latency bin."""
    return [
        (round(each.lower_seconds * 1e6), round(each.width_seconds * 1e6), each.count)
        for each in counters.latency
    ]


@pytest.mark.parametrize(
    ("tags", "is_error"),
    [
        ({}, False),
        ({"status": 404}, True),
        ({"status": 503, "flags": "UH"}, True),
        ({"status": 200, "flags": "UC"}, True),
        ({"status": 0, "flags": "-"}, True),
        ({"status": 0, "flags": "DC"}, False),
        ({"cluster": f"{REVISION}-grpc", "grpc": "0"}, False),
        ({"cluster": f"{REVISION}-grpc", "grpc": "14"}, True),
        ({"cluster": f"{REVISION}-grpc", "grpc": ""}, True),
        ({"cluster": f"{REVISION}-grpc", "grpc": "1", "flags": "DR"}, False),
        ({"route": "stream", "status": 504, "flags": "UMSDR"}, True),
    ],
)
def test_what_counts_as_an_error(tags: dict[str, Any], is_error: bool) -> None:
    counters = user_counters([counter(7, **tags)], REVISION)

    assert (counters.requests, counters.errors) == (7, 7 if is_error else 0)


def test_other_revisions_and_requests_of_no_revision_are_left_out() -> None:
    counters = user_counters(
        [
            counter(3),
            counter(5, cluster="digits-1-ab-http"),
            counter(5, cluster=""),
            {"name": "users.requests.cluster.odd", "value": 5},
        ],
        REVISION,
    )

    assert counters.requests == 3


def test_latency_is_in_seconds_over_both_protocols_and_without_failures_and_streams() -> None:
    grpc = f"{REVISION}-grpc"
    counters = user_counters(
        [
            histograms(
                [
                    (name("latency"), [(1400.0, 100.0, 2), (43000.0, 1000.0, 1)]),
                    (name("latency", cluster=grpc, grpc="0"), [(1400.0, 100.0, 3)]),
                    (name("latency", cluster=grpc, grpc="14"), [(10.0, 1.0, 9)]),
                    (name("latency", status=503, flags="UF"), [(10.0, 1.0, 9)]),
                    (name("latency", route="stream"), [(9e6, 1e5, 9)]),
                ]
            )
        ],
        REVISION,
    )

    assert microseconds(counters) == [(1400, 100, 5), (43000, 1000, 1)]


def test_a_request_that_was_given_up_counts_with_the_time_until_then() -> None:
    given_up: dict[str, Any] = {"status": 0, "flags": "DC"}
    counters = user_counters(
        [
            counter(2, **given_up),
            histograms([(name("given_up", **given_up), [(500.0, 10.0, 2)])]),
        ],
        REVISION,
    )

    assert counters.errors == 0
    assert microseconds(counters) == [(500_000, 10_000, 2)]


def test_retries_are_those_of_both_protocols() -> None:
    counters = user_counters(
        [
            {"name": f"cluster.{REVISION}-http.upstream_rq_retry", "value": 2},
            {"name": f"cluster.{REVISION}-grpc.upstream_rq_retry", "value": 1},
            {"name": "cluster.digits-1-ab-http.upstream_rq_retry", "value": 9},
        ],
        REVISION,
    )

    assert counters.retries == 3


@pytest.mark.parametrize(
    ("statistic", "is_asked_for"),
    [
        (name(), True),
        (name("latency", route="stream"), True),
        (name("given_up"), True),
        (f"cluster.{REVISION}-grpc.upstream_rq_retry", True),
        (name(route="pinned"), False),
        (name(route="health"), False),
        (name(cluster="digits-1-ab-http"), False),
        (f"cluster.{REVISION}-grpc.upstream_rq_retry_overflow", False),
    ],
)
def test_only_what_users_met_is_asked_for(statistic: str, is_asked_for: bool) -> None:
    assert (re.search(statistics_pattern(REVISION), statistic) is not None) == is_asked_for
