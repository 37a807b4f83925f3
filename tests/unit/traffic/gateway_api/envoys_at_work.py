"""Envoys of a Gateway in memory: their pods, what they have counted, what routes they serve."""

from typing import Any

import httpx2
import pytest

from tests.unit.cluster.api_server import NAMESPACE, ApiServer
from tidegate.cluster import names
from tidegate.cluster.kinds import ENDPOINT_SLICE, GATEWAY, HTTP_ROUTE, POD
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.traffic.gateway_api.desired import DesiredRoutes
from tidegate.traffic.gateway_api.envoys import Listener
from tidegate.traffic.gateway_api.probes import Answer
from tidegate.traffic.gateway_api.router import GatewayApiRouter
from tidegate.traffic.routes import ServiceRoutes

REFERENCE = GatewayReference(namespace="edge", name="tidegate", http_section="http")
OWNER = "gateway.envoyproxy.io/owning-gateway"


class Envoys:
    """`stats` by address: lines about one revision; those in `silent` do not answer.

    Routes are accepted and served as soon as they are written.
    """

    def __init__(self, api: ApiServer) -> None:
        self.api = api
        self.stats: dict[str, str] = {}
        self.silent: set[str] = set()
        self.asked: list[str] = []
        api.controller = self._accept
        listener = {"name": "http", "port": 80, "protocol": "HTTP"}
        content = {"metadata": {"name": REFERENCE.name}, "spec": {"listeners": [listener]}}
        api.put(GATEWAY.plural, content, REFERENCE.namespace)

    def add(
        self,
        number: int,
        *,
        is_ready: bool = True,
        is_terminating: bool = False,
        phase: str = "Running",
        state: dict[str, Any] | None = None,
        restarts: int = 0,
    ) -> str:
        """A pod; its address. Beside Envoy's container another one has restarted nine times."""
        address = f"10.0.9.{number}"
        labels = {f"{OWNER}-name": REFERENCE.name, f"{OWNER}-namespace": REFERENCE.namespace}
        meta = {"name": f"envoy-{number}", "labels": labels}
        if is_terminating:
            meta["deletionTimestamp"] = "2026-11-23T10:00:00Z"
        running = {"running": {"startedAt": "2026-11-23T09:00:00Z"}}
        containers = [
            {"name": "shutdown-manager", "restartCount": 9, "state": running},
            {"name": "envoy", "restartCount": restarts, "state": state or running},
        ]
        status = {
            "phase": phase,
            "podIP": address,
            "conditions": [{"type": "Ready", "status": str(is_ready)}],
            "containerStatuses": containers,
        }
        self.api.put(POD.plural, {"metadata": meta, "status": status}, REFERENCE.proxy_namespace)
        return address

    def remove(self, number: int) -> None:
        del self.api.objects[POD.plural, REFERENCE.proxy_namespace, f"envoy-{number}"]

    def serve(self, revision: str) -> None:
        """Give the revision's Service a ready endpoint."""
        meta = {"name": f"{revision}-x", "labels": {"kubernetes.io/service-name": revision}}
        self.api.put(ENDPOINT_SLICE.plural, {"metadata": meta, "endpoints": [_ENDPOINT]})

    def count(
        self, address: str, revision: str, *, active: int = 0, healthy: int = 1, completed: int = 0
    ) -> None:
        """Set what the Envoy tells of the revision."""
        label = f'envoy_cluster_name="service/{NAMESPACE}/{revision}/8000/http"'
        told = {
            "upstream_rq_active": active,
            "membership_healthy": healthy,
            "upstream_rq_completed": completed,
        }
        lines = [f"envoy_cluster_{name}{{{label}}} {value}" for name, value in told.items()]
        self.stats[address] = "\n".join(lines)

    def router(self, monkeypatch: pytest.MonkeyPatch) -> GatewayApiRouter:
        """A router that asks these."""
        made = GatewayApiRouter(self.api.cluster(), REFERENCE)
        statistics = httpx2.AsyncClient(transport=httpx2.MockTransport(self._statistics))
        monkeypatch.setattr(made._data_plane, "_statistics", statistics)
        monkeypatch.setattr(made._data_plane, "_probes", _Probes(self))
        return made

    def hear(self, address: str) -> None:
        """Raises what a client raises when nobody answers."""
        self.asked.append(address)
        if address in self.silent:
            raise httpx2.ConnectTimeout("timed out")

    def version(self, service: str) -> str:
        annotations = self.api.get(HTTP_ROUTE.plural, service)["metadata"]["annotations"]
        return DesiredRoutes.parse(annotations[names.ROUTES_ANNOTATION]).version

    def _statistics(self, request: httpx2.Request) -> httpx2.Response:
        self.hear(request.url.host)
        return httpx2.Response(200, text=self.stats.get(request.url.host, ""))

    def _accept(self, plural: str, written: dict[str, Any]) -> None:
        if not plural.endswith("routes"):
            return
        generation = written["metadata"]["generation"]
        conditions = [
            {"type": name, "status": "True", "observedGeneration": generation}
            for name in ("Accepted", "ResolvedRefs")
        ]
        reference = {"namespace": REFERENCE.namespace, "name": REFERENCE.name}
        written["status"] = {"parents": [{"parentRef": reference, "conditions": conditions}]}


_ENDPOINT = {"addresses": ["10.0.0.1"], "conditions": {"ready": True}}


class _Probes:
    """Answers over both protocols as the routes say."""

    def __init__(self, envoys: Envoys) -> None:
        self._envoys = envoys

    async def http(
        self, address: str, listener: Listener, routes: ServiceRoutes, revision: str = "none"
    ) -> Answer:
        self._envoys.hear(address)
        return Answer(self._envoys.version(routes.service), revision, True, "fine")

    grpc = http

    async def close(self) -> None:
        return
