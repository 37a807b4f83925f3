"""Envoy's admin interface: what the data plane itself says."""

from collections.abc import Sequence
from typing import Any

import httpx

from tidegate.traffic.envoy.bootstrap import ROUTE_CONFIGURATION, STAT_PREFIX
from tidegate.traffic.envoy.clusters import cluster_names
from tidegate.traffic.router import RouterError

TIMEOUT_SECONDS = 5.0


class EnvoyAdmin:
    """Client of one Envoy. Every method raises `RouterError` when Envoy does not answer."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"

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
            for each in response.json().get("stats", [])
            if "value" in each
        }

    async def routes_version(self) -> str | None:
        """Version of the route configuration in force."""
        response = await self._get("/config_dump", resource="dynamic_route_configs")
        for each in response.json().get("configs", []):
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
        for cluster in response.json().get("cluster_statuses", []):
            hosts = cluster.get("host_statuses", [])
            if any(_is_healthy(host.get("health_status", {})) for host in hosts):
                healthy.add(cluster["name"])
        return healthy

    async def cluster_names(self) -> set[str]:
        response = await self._get("/clusters", format="json")
        return {each["name"] for each in response.json().get("cluster_statuses", [])}

    async def active_requests(self, revision: str) -> int:
        names = "|".join(cluster_names(revision))
        counters = await self.counters(rf"^cluster\.({names})\.upstream_rq_active$")
        return sum(counters.values())

    async def completed_requests(self, revision: str) -> int:
        """Requests that the revision has answered since Envoy started, over every protocol."""
        names = "|".join(cluster_names(revision))
        counters = await self.counters(rf"^cluster\.({names})\.upstream_rq_completed$")
        return sum(counters.values())

    async def drain_listeners(self) -> None:
        """Stop taking connections; those that exist are asked to end."""
        await self._post("/drain_listeners?graceful")

    async def downstream_active_requests(self) -> int:
        counters = await self.counters(rf"^http\.{STAT_PREFIX}\.downstream_rq_active$")
        return sum(counters.values())

    async def _get(self, path: str, **query: str) -> httpx.Response:
        return await self._request("GET", path, query)

    async def _post(self, path: str) -> httpx.Response:
        return await self._request("POST", path, {})

    async def _request(self, method: str, path: str, query: dict[str, str]) -> httpx.Response:
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
                response = await client.request(method, self._base + path, params=query)
        except httpx.HTTPError as error:
            raise RouterError(
                f"Envoy's admin interface {self._base} does not answer: {error!r}"
            ) from error
        if response.is_error and path != "/ready":
            raise RouterError(f"Envoy answers {response.status_code} to {path}: {response.text}")
        return response


def _is_healthy(status: dict[str, Any]) -> bool:
    failing: Sequence[str] = [key for key, value in status.items() if value is True]
    return status.get("eds_health_status") == "HEALTHY" and not failing
