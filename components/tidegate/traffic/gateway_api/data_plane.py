"""The Envoys of a Gateway: what routes they serve, and what they have counted."""

import asyncio
import time
from collections.abc import Awaitable, Iterable, Mapping
from typing import TypeVar

import httpx2

from tidegate.cluster.client import Cluster
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.traffic.gateway_api.envoys import (
    STATISTICS_PORT,
    Envoy,
    Listener,
    find_envoys,
    find_listener,
)
from tidegate.traffic.gateway_api.probes import Answer, Probes
from tidegate.traffic.gateway_api.prometheus_text import samples
from tidegate.traffic.gateway_api.statistics import ProtocolCounts, clusters_pattern, counts
from tidegate.traffic.router import RouterError
from tidegate.traffic.routes import ServiceRoutes

STATISTICS_TIMEOUT_SECONDS = 5.0
ENVOYS_KEPT_SECONDS = 2.0
"""Envoys are looked up again after so long."""
LISTENERS_KEPT_SECONDS = 60.0

T = TypeVar("T")


class DataPlane:
    """Asks every Envoy directly. Every method raises RouterError when one does not answer."""

    def __init__(self, cluster: Cluster, gateway: GatewayReference) -> None:
        self._cluster = cluster
        self._gateway = gateway
        self._probes = Probes()
        self._statistics = httpx2.AsyncClient(timeout=STATISTICS_TIMEOUT_SECONDS, trust_env=False)
        self._envoys: tuple[float, list[Envoy]] | None = None
        self._listeners: tuple[float, Mapping[str, Listener]] | None = None

    async def not_serving(self, routes: ServiceRoutes, version: str) -> list[str]:
        """Where other routes than those of this version are served, in words; empty if nowhere."""
        answers = await self._ask_all(routes)
        return [
            f"Envoy {envoy.name} serves {answer.version or 'no'} routes over {protocol}"
            for envoy, protocol, answer in answers
            if answer.version != version
        ]

    async def serving_any(self, routes: ServiceRoutes) -> list[str]:
        """Where the service's routes, of whatever version, are still served."""
        answers = await self._ask_all(routes)
        return [f"Envoy {envoy.name}" for envoy, _, answer in answers if answer.version]

    async def not_reaching(self, routes: ServiceRoutes, revision: str) -> list[str]:
        """Where requests that are pinned to the revision are not served by it, in words."""
        answers = await self._ask_all(routes, revision)
        return [
            f"{revision} does not answer through Envoy {envoy.name} over {protocol}: {answer.words}"
            for envoy, protocol, answer in answers
            if not answer.is_served or answer.revision != revision
        ]

    async def counted(
        self, namespace: str, revision: str
    ) -> Mapping[str, Mapping[str, ProtocolCounts]]:
        """Counts of each Envoy, by its uid, and protocol."""
        envoys = await self._find_envoys()
        wanted = {"filter": clusters_pattern(namespace, revision)}
        texts = await _all(self._read_statistics(each, wanted) for each in envoys)
        return {
            envoy.uid: counts(samples(text), namespace, revision)
            for envoy, text in zip(envoys, texts, strict=True)
        }

    async def close(self) -> None:
        await self._probes.close()
        await self._statistics.aclose()

    async def _ask_all(
        self, routes: ServiceRoutes, revision: str | None = None
    ) -> list[tuple[Envoy, str, Answer]]:
        envoys, listeners = await self._find_envoys(), await self._find_listeners()
        asked = [(envoy, protocol) for envoy in envoys for protocol in listeners]
        answers = await _all(
            self._ask(envoy, protocol, listeners[protocol], routes, revision)
            for envoy, protocol in asked
        )
        return [
            (envoy, protocol, answer)
            for (envoy, protocol), answer in zip(asked, answers, strict=True)
        ]

    async def _ask(
        self,
        envoy: Envoy,
        protocol: str,
        listener: Listener,
        routes: ServiceRoutes,
        revision: str | None,
    ) -> Answer:
        ask = self._probes.grpc if protocol == "grpc" else self._probes.http
        named = {"revision": revision} if revision is not None else {}
        try:
            return await ask(envoy.address, listener, routes, **named)
        except (httpx2.HTTPError, OSError) as error:
            raise self._silent(envoy, error) from error

    async def _read_statistics(self, envoy: Envoy, wanted: Mapping[str, str]) -> str:
        url = f"http://{envoy.address}:{STATISTICS_PORT}/stats/prometheus"
        try:
            answer = await self._statistics.get(url, params=dict(wanted))
        except (httpx2.HTTPError, OSError) as error:
            raise self._silent(envoy, error) from error
        if answer.status_code != httpx2.codes.OK:
            raise RouterError(f"Envoy {envoy.name} answers HTTP {answer.status_code} for its stats")
        return answer.text

    def _silent(self, envoy: Envoy, error: Exception) -> RouterError:
        self._envoys = None
        why = str(error) or type(error).__name__
        return RouterError(f"Envoy {envoy.name} at {envoy.address} does not answer: {why}")

    async def _find_envoys(self) -> list[Envoy]:
        now = time.monotonic()
        if self._envoys is None or now - self._envoys[0] > ENVOYS_KEPT_SECONDS:
            self._envoys = now, await find_envoys(self._cluster, self._gateway)
        return self._envoys[1]

    async def _find_listeners(self) -> Mapping[str, Listener]:
        now = time.monotonic()
        if self._listeners is None or now - self._listeners[0] > LISTENERS_KEPT_SECONDS:
            sections = {"http": self._gateway.http_section, "grpc": self._gateway.grpc_section}
            found = {
                protocol: await find_listener(self._cluster, self._gateway, section)
                for protocol, section in sections.items()
            }
            self._listeners = now, found
        return self._listeners[1]


async def _all(works: Iterable[Awaitable[T]]) -> list[T]:
    return list(await asyncio.gather(*works))
