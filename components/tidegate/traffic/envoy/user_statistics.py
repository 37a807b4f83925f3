"""What users of a revision meet, as Envoy's statistics access logger counts it.

The logger gives every request to one counter and one histogram, told apart by cluster, kind of
route, status, gRPC status and response flags. All of these are set by us or by our servers, so no
caller can make new ones.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from tidegate.traffic.envoy.clusters import GRPC_SUFFIX, cluster_names
from tidegate.traffic.router import LatencyBin, UserCounters

PREFIX = "users"
REQUESTS = "requests"
LATENCY = "latency"
GIVEN_UP = "given_up"
RETRIES = "upstream_rq_retry"
MAXIMUM_COUNTERS = 65_536
MAXIMUM_HISTOGRAMS = 16_384
"""Statistics live as long as Envoy. A revision takes about twenty; beyond a limit new ones are not
counted, so that a switch finds no data and does not advance."""

UNARY_ROUTE = "unary"
STREAM_ROUTE = "stream"

NO_FLAGS = "-"
LEFT_FLAGS = frozenset({"DC", "DR"})
"""The caller ended its connection or its stream: no fault of the revision."""

ERROR_STATUS = 400
NO_STATUS = 0
GRPC_OK = "0"
MICROSECONDS = 1e-6
MILLISECONDS = 1e-3

# In this order they are the end of a statistic's name: "users.requests.cluster.<value>.route. …".
_TAGS = {
    "cluster": "%UPSTREAM_CLUSTER%",
    "route": "%ROUTE_NAME%",
    "status": "%RESPONSE_CODE%",
    "grpc": "%GRPC_STATUS_NUMBER%",
    "flags": "%RESPONSE_FLAGS%",
}

_NAME = re.compile(
    rf"{PREFIX}\.(?P<statistic>\w+)" + "".join(rf"\.{tag}\.(?P<{tag}>[^.]*)" for tag in _TAGS)
)


def statistics_loggers() -> list[dict[str, Any]]:
    """Access loggers (v3 API) of the listener."""
    return [
        _logger(
            "users",
            counters=[{"stat": _stat(REQUESTS), "value_fixed": 1}],
        ),
        {
            **_logger(
                "users-latency",
                histograms=[
                    {
                        "stat": _stat(LATENCY),
                        "unit": "Microseconds",
                        # From the request's first byte in to the answer's last byte out.
                        "value_format": "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%",
                    }
                ],
            ),
            "filter": _answered(),
        },
        # A request that its caller gave up has no last byte out.
        {
            **_logger(
                "users-given-up",
                histograms=[
                    {
                        "stat": _stat(GIVEN_UP),
                        "unit": "Milliseconds",
                        "value_format": "%DURATION%",
                    }
                ],
            ),
            "filter": {"response_flag_filter": {"flags": sorted(LEFT_FLAGS)}},
        },
    ]


def _answered() -> dict[str, Any]:
    """Passes what got a status; Envoy complains about values that cannot be had."""
    threshold = {"default_value": NO_STATUS + 1, "runtime_key": "tidegate.time_from_status"}
    return {"status_code_filter": {"comparison": {"op": "GE", "value": threshold}}}


def _logger(name: str, **statistics: Any) -> dict[str, Any]:
    return {
        "name": name,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.stats.v3.Config",
            "stats_scope": {
                "prefix": PREFIX,
                "max_counters": MAXIMUM_COUNTERS,
                "max_histograms": MAXIMUM_HISTOGRAMS,
            },
            **statistics,
        },
    }


def _stat(name: str) -> dict[str, Any]:
    tags = [{"name": tag, "value_format": value} for tag, value in _TAGS.items()]
    return {"name": name, "tags": tags}


def statistics_pattern(revision: str) -> str:
    """Regular expression for the names of all statistics that `user_counters` needs."""
    clusters = "|".join(cluster_names(revision))
    routes = f"{UNARY_ROUTE}|{STREAM_ROUTE}"
    return (
        rf"^{PREFIX}\.\w+\.cluster\.({clusters})\.route\.({routes})\."
        rf"|^cluster\.({clusters})\.{RETRIES}$"
    )


def user_counters(statistics: Iterable[Mapping[str, Any]], revision: str) -> UserCounters:
    """The revision's counters out of the `stats` of Envoy's `/stats` with detailed histograms."""
    clusters = set(cluster_names(revision))
    requests = errors = retries = 0
    latency: Counter[tuple[float, float]] = Counter()
    for name, value in _counts(statistics):
        met = _Met.of(name)
        if met is not None and met.statistic == REQUESTS and met.cluster in clusters:
            requests += value
            errors += value if met.has_failed else 0
        elif name in {f"cluster.{cluster}.{RETRIES}" for cluster in clusters}:
            retries += value
    for name, bins in _histograms(statistics):
        met = _Met.of(name)
        if met is None or met.cluster not in clusters or met.route != UNARY_ROUTE:
            continue
        if met.has_failed or (met.statistic == LATENCY) == met.was_given_up:
            continue
        unit = MICROSECONDS if met.statistic == LATENCY else MILLISECONDS
        for each in bins:
            latency[each["lower_bound"] * unit, each["width"] * unit] += int(each["count"])
    return UserCounters(
        requests=requests,
        errors=errors,
        retries=retries,
        latency=tuple(
            LatencyBin(lower, width, count) for (lower, width), count in sorted(latency.items())
        ),
    )


def _counts(statistics: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, int]]:
    return ((each["name"], int(each["value"])) for each in statistics if "value" in each)


def _histograms(
    statistics: Iterable[Mapping[str, Any]],
) -> Iterator[tuple[str, Sequence[Mapping[str, float]]]]:
    """Names and cumulative bins."""
    return (
        (each["name"], each["totals"])
        for holder in statistics
        if "histograms" in holder
        for each in holder["histograms"].get("details", [])
    )


@dataclass(frozen=True)
class _Met:
    """What requests of one statistic have met; the fields but the first are `_TAGS`."""

    statistic: str
    cluster: str
    route: str
    status: int
    grpc: str
    flags: frozenset[str]

    @classmethod
    def of(cls, name: str) -> Self | None:
        """The meaning of a statistic's full name, None for one that the logger did not make."""
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        return cls(
            statistic=found["statistic"],
            cluster=found["cluster"],
            route=found["route"],
            status=int(found["status"]),
            grpc=found["grpc"],
            flags=frozenset(found["flags"].split(",")) - {NO_FLAGS},
        )

    @property
    def was_given_up(self) -> bool:
        return bool(self.flags & LEFT_FLAGS)

    @property
    def has_failed(self) -> bool:
        """Whether the request failed, and not because its caller left."""
        if self.was_given_up:
            return False
        if self.status >= ERROR_STATUS or self.status == NO_STATUS or self.flags:
            return True
        return self.cluster.endswith(GRPC_SUFFIX) and self.grpc != GRPC_OK
