"""The Envoys of a Gateway: what routes they serve, and what they have counted."""

import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import TypeVar

import httpx2

from tidegate.cluster.client import Cluster
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.traffic.gateway_api.envoys import (
    STATISTICS_PORT,
    Envoy,
    Listener,
    find_listener,
    find_running_envoys,
    ready_ones,
)
from tidegate.traffic.gateway_api.probes import Answer, Probes, in_url
from tidegate.traffic.gateway_api.prometheus_text import samples
from tidegate.traffic.gateway_api.silences import (
    Silences,
    SilentEnvoyError,
    Told,
    answers_of,
    raise_if_all_silent,
)
from tidegate.traffic.gateway_api.statistics import ProtocolCounts, clusters_pattern, counts
from tidegate.traffic.router import RouterError
from tidegate.traffic.routes import ServiceRoutes

STATISTICS_TIMEOUT_SECONDS = 5.0
ENVOYS_KEPT_SECONDS = 2.0
"""Envoys are looked up again after so long."""
LISTENERS_KEPT_SECONDS = 60.0

T = TypeVar("T")


class DataPlane:
    """Asks every Envoy directly. Every method raises RouterError when none answers."""

    def __init__(self, cluster: Cluster, gateway: GatewayReference) -> None:
        self._cluster = cluster
        self._gateway = gateway
        self._probes = Probes()
        self._statistics = httpx2.AsyncClient(timeout=STATISTICS_TIMEOUT_SECONDS, trust_env=False)
        self._envoys: tuple[float, list[Envoy]] | None = None
        self._listeners: tuple[float, Mapping[str, Listener]] | None = None
        self._silences = Silences()

    async def not_serving(
        self, routes: ServiceRoutes, version: str, *, leaves_out_silent: bool = False
    ) -> Told:
        """Where other routes than those of this version are served."""
        answers, silent = await self._ask_all(routes, leaves_out_silent=leaves_out_silent)
        otherwise = [
            f"Envoy {envoy.name} serves {answer.version or 'no'} routes over {protocol}"
            for envoy, protocol, answer in answers
            if answer.version != version
        ]
        return Told(otherwise, silent)

    async def serving_any(self, routes: ServiceRoutes) -> Told:
        """Where the service's routes, of whatever version, are still served."""
        answers, silent = await self._ask_all(routes)
        return Told([f"Envoy {envoy.name}" for envoy, _, each in answers if each.version], silent)

    async def not_reaching(self, routes: ServiceRoutes, revision: str) -> Told:
        """Where requests that are pinned to the revision are not served by it."""
        answers, silent = await self._ask_all(routes, revision)
        otherwise = [
            f"{revision} does not answer through Envoy {envoy.name} over {protocol}: {answer.words}"
            for envoy, protocol, answer in answers
            if not answer.is_served or answer.revision != revision
        ]
        return Told(otherwise, silent)

    async def counted(
        self, namespace: str, revision: str
    ) -> Mapping[Envoy, Mapping[str, ProtocolCounts]]:
        """Counts of each Envoy that is ready and answers, by protocol."""
        envoys = self._silences.left_out_of(await self._ready())
        found = await self._count(envoys, namespace, revision)
        raise_if_all_silent(found)
        return {
            envoy: protocols
            for envoy, protocols in zip(envoys, found, strict=True)
            if not isinstance(protocols, SilentEnvoyError)
        }

    async def counted_everywhere(
        self, namespace: str, revision: str
    ) -> Sequence[Mapping[str, ProtocolCounts]]:
        """Counts of every Envoy that runs: one that is not ready may have requests in flight.

        One that ends may be gone before its pod is. Raises RouterError when another is silent.
        """
        envoys = await self._running()
        found = await self._count(envoys, namespace, revision)
        for envoy, protocols in zip(envoys, found, strict=True):
            if isinstance(protocols, SilentEnvoyError) and not envoy.is_terminating:
                raise protocols
        return [each for each in found if not isinstance(each, SilentEnvoyError)]

    async def close(self) -> None:
        await self._probes.close()
        await self._statistics.aclose()

    async def _ask_all(
        self,
        routes: ServiceRoutes,
        revision: str | None = None,
        *,
        leaves_out_silent: bool = False,
    ) -> tuple[list[tuple[Envoy, str, Answer]], list[SilentEnvoyError]]:
        """Answers, and who gave none."""
        envoys, listeners = await self._ready(), await self._find_listeners()
        if leaves_out_silent:
            envoys = self._silences.left_out_of(envoys)
        asked = [(envoy, protocol) for envoy in envoys for protocol in listeners]
        found = await answers_of(
            self._ask(envoy, protocol, listeners[protocol], routes, revision)
            for envoy, protocol in asked
        )
        raise_if_all_silent(found)
        answers = [
            (envoy, protocol, answer)
            for (envoy, protocol), answer in zip(asked, found, strict=True)
            if not isinstance(answer, SilentEnvoyError)
        ]
        return answers, [each for each in found if isinstance(each, SilentEnvoyError)]

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
        return await self._heard(envoy, ask(envoy.address, listener, routes, **named))

    async def _count(
        self, envoys: Sequence[Envoy], namespace: str, revision: str
    ) -> list[Mapping[str, ProtocolCounts] | SilentEnvoyError]:
        wanted = {"filter": clusters_pattern(namespace, revision)}
        texts = await answers_of(self._read_statistics(each, wanted) for each in envoys)
        return [
            each
            if isinstance(each, SilentEnvoyError)
            else counts(samples(each), namespace, revision)
            for each in texts
        ]

    async def _read_statistics(self, envoy: Envoy, wanted: Mapping[str, str]) -> str:
        url = f"http://{in_url(envoy.address)}:{STATISTICS_PORT}/stats/prometheus"
        answer = await self._heard(envoy, self._statistics.get(url, params=dict(wanted)))
        if answer.status_code != httpx2.codes.OK:
            raise RouterError(f"Envoy {envoy.name} answers HTTP {answer.status_code} for its stats")
        return answer.text

    # -- Envoys -------------------------------------------------------------------------------

    async def _heard(self, envoy: Envoy, work: Awaitable[T]) -> T:
        """What the Envoy answers. Raises SilentEnvoyError."""
        try:
            return await self._silences.heard(envoy, work)
        except SilentEnvoyError:
            self._envoys = None
            raise

    async def _ready(self) -> list[Envoy]:
        return ready_ones(await self._running(), self._gateway)

    async def _running(self) -> list[Envoy]:
        now = time.monotonic()
        if self._envoys is None or now - self._envoys[0] > ENVOYS_KEPT_SECONDS:
            self._envoys = now, await find_running_envoys(self._cluster, self._gateway)
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
