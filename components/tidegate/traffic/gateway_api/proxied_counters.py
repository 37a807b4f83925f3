"""What users met, for people who cannot reach a Gateway's Envoys but its API server."""

import asyncio
import re
from collections.abc import Iterable

from tidegate.cluster.client import Cluster
from tidegate.cluster.pod_proxy import PodProxy
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.traffic.gateway_api.envoys import STATISTICS_PORT, find_envoys
from tidegate.traffic.gateway_api.prometheus_text import samples
from tidegate.traffic.gateway_api.statistics import counts
from tidegate.traffic.gateway_api.totals import Totals
from tidegate.traffic.router import UserCounters


class ProxiedCounters:
    """Counters of one namespace's revisions, added up over the Gateway's Envoys."""

    def __init__(self, cluster: Cluster, gateway: GatewayReference, proxy: PodProxy) -> None:
        self._cluster = cluster
        self._gateway = gateway
        self._proxy = proxy
        self._totals: dict[str, Totals] = {}

    async def read(self, revisions: Iterable[str]) -> dict[str, UserCounters]:
        """Ask every Envoy once. Raises RouterError and ClusterError."""
        envoys = await find_envoys(self._cluster, self._gateway)
        namespace = self._cluster.namespace
        wanted = {"filter": rf"service/{re.escape(namespace)}/"}
        place = self._gateway.proxy_namespace
        texts = await asyncio.gather(
            *(
                self._proxy.get(place, each.name, STATISTICS_PORT, "stats/prometheus", wanted)
                for each in envoys
            )
        )
        told = {envoy: list(samples(text)) for envoy, text in zip(envoys, texts, strict=True)}
        return {
            revision: self._totals.setdefault(revision, Totals()).update(
                {envoy: counts(each, namespace, revision).values() for envoy, each in told.items()}
            )
            for revision in revisions
        }
