"""Envoy's admin interface: what the data plane itself says."""

import json
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from tidegate import loopback
from tidegate.loopback import Answer, NoAnswerError
from tidegate.traffic.envoy.bootstrap import ROUTE_CONFIGURATION, STAT_PREFIX
from tidegate.traffic.envoy.clusters import cluster_names
from tidegate.traffic.envoy.user_statistics import statistics_pattern
from tidegate.traffic.router import RouterError

TIMEOUT_SECONDS = 5.0


class EnvoyAdmin:
    """Client of one Envoy. Every method raises `RouterError` when Envoy does not answer."""

    def __init__(self, port: int) -> None:
        self._address = f"127.0.0.1:{port}"

    async def is_live(self) -> bool:
        """Whether Envoy runs and has its first configuration."""
        try:
            return (await self._get("/ready")).text.strip() == "LIVE"
        except RouterError:
            return False

    async def counters(self, pattern: str) -> dict[str, int]:
        """Counters and gauges whose full name matches the regular expression."""
        response = await self._get("/stats", filter=pattern, format="json")
        return {
            each["name"]: int(each["value"])
            for each in json.loads(response.text).get("stats", [])
            if "value" in each
        }

    async def routes_version(self) -> str | None:
        """Version of the route configuration in force."""
        response = await self._get("/config_dump", resource="dynamic_route_configs")
        for each in json.loads(response.text).get("configs", []):
            if each.get("route_config", {}).get("name") == ROUTE_CONFIGURATION:
                return str(each.get("version_info", ""))
        return None

    async def rejected_updates(self) -> int:
        """How often Envoy refused a route file since it started."""
        prefix = rf"http\.{STAT_PREFIX}\.rds\.{ROUTE_CONFIGURATION}\."
        counters = await self.counters(rf"^{prefix}update_(rejected|failure)$")
        return sum(counters.values())

    async def healthy_clusters(self) -> set[str]:
        """Names of clusters that exist and have a healthy host."""
        response = await self._get("/clusters", format="json")
        healthy = set()
        for cluster in json.loads(response.text).get("cluster_statuses", []):
            hosts = cluster.get("host_statuses", [])
            if any(_is_healthy(host.get("health_status", {})) for host in hosts):
                healthy.add(cluster["name"])
        return healthy

    async def cluster_names(self) -> set[str]:
        response = await self._get("/clusters", format="json")
        return {each["name"] for each in json.loads(response.text).get("cluster_statuses", [])}

    async def active_requests(self, revision: str) -> int:
        names = "|".join(cluster_names(revision))
        counters = await self.counters(rf"^cluster\.({names})\.upstream_rq_active$")
        return sum(counters.values())

    async def open_requests(self, revision: str) -> dict[str, int]:
        """Requests and streams in flight to the revision, by protocol."""
        names = {name: name.rpartition("-")[2] for name in cluster_names(revision)}
        counters = await self.counters(rf"^cluster\.({'|'.join(names)})\.upstream_rq_active$")
        return {
            protocol: counters.get(f"cluster.{name}.upstream_rq_active", 0)
            for name, protocol in names.items()
        }

    async def completed_requests(self, revision: str) -> int:
        """Requests that the revision has answered since Envoy started, over every protocol."""
        names = "|".join(cluster_names(revision))
        counters = await self.counters(rf"^cluster\.({names})\.upstream_rq_completed$")
        return sum(counters.values())

    async def user_statistics(self, revision: str) -> list[dict[str, Any]]:
        """What the gateway counted of the revision's requests, as `/stats` answers it."""
        response = await self._get(
            "/stats",
            filter=statistics_pattern(revision),
            format="json",
            histogram_buckets="detailed",
        )
        return list(json.loads(response.text).get("stats", []))

    async def drain_listeners(self) -> None:
        """Stop taking connections; those that exist are asked to end."""
        await self._post("/drain_listeners?graceful")

    async def downstream_active_requests(self) -> int:
        counters = await self.counters(rf"^http\.{STAT_PREFIX}\.downstream_rq_active$")
        return sum(counters.values())

    async def _get(self, path: str, **query: str) -> Answer:
        target = f"{path}?{urlencode(query)}" if query else path
        return self._checked(path, await self._ask(loopback.get, target))

    async def _post(self, path: str) -> Answer:
        return self._checked(path, await self._ask(loopback.post, path))

    async def _ask(
        self, send: Callable[[str, str, float], Awaitable[Answer]], target: str
    ) -> Answer:
        try:
            return await send(self._address, target, TIMEOUT_SECONDS)
        except NoAnswerError as error:
            raise RouterError(f"Envoy's admin interface: {error}") from error

    def _checked(self, path: str, answer: Answer) -> Answer:
        if answer.status >= HTTPStatus.BAD_REQUEST and path != "/ready":
            raise RouterError(f"Envoy answers {answer.status} to {path}: {answer.text}")
        return answer


def _is_healthy(status: dict[str, Any]) -> bool:
    failing: Sequence[str] = [key for key, value in status.items() if value is True]
    return status.get("eds_health_status") == "HEALTHY" and not failing
