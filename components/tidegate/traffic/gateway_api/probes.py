"""Asking one Envoy which routes it serves.

A probe names a revision that does not exist, so that Envoy itself answers and no server is
bothered, or one that does, and then it is one cheap request to that revision.
"""

from dataclasses import dataclass

import httpx2

from tidegate.traffic.gateway_api.desired import VERSION_HEADER
from tidegate.traffic.gateway_api.envoys import Listener
from tidegate.traffic.gateway_api.matches import INFERENCE
from tidegate.traffic.gateway_api.statistics import PROBE_METHOD
from tidegate.traffic.routes import REVISION_HEADER, SERVICE_HEADER, ServiceRoutes

NO_REVISION = "none"
_TIMEOUT_SECONDS = 3.0
_UNAVAILABLE = "14"
"""The gRPC status with which Envoy says that it reached no server."""
_EMPTY_MESSAGE = b"\0\0\0\0\0"
"""A gRPC frame: not compressed, no bytes."""


@dataclass(frozen=True)
class Answer:
    """What an Envoy says. `version` is None when it does not serve the service's routes;
    `is_served` when a server has answered, whatever it said."""

    version: str | None
    revision: str | None
    is_served: bool
    words: str


class Probes:
    """Every request on a connection of its own, so that each of Envoy's threads may get one."""

    def __init__(self) -> None:
        # The certificate is the users' matter: an address inside the cluster is not its name.
        # Nor is a proxy that the environment may name on the way to it.
        limits = httpx2.Limits(max_keepalive_connections=0)
        self._http = httpx2.AsyncClient(
            verify=False,
            limits=limits,
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
        )
        self._grpc = httpx2.AsyncClient(
            verify=False,
            http1=False,
            http2=True,
            limits=limits,
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
        )

    async def http(
        self, address: str, listener: Listener, routes: ServiceRoutes, revision: str = NO_REVISION
    ) -> Answer:
        """Raises httpx2.HTTPError when nothing answers."""
        path = f"/v2/models/{routes.models[0]}/ready"
        answer = await self._ask(
            self._http, "GET", address, listener, path, routes, {REVISION_HEADER: revision}
        )
        return _answer(answer, answer.status_code < httpx2.codes.INTERNAL_SERVER_ERROR)

    async def grpc(
        self, address: str, listener: Listener, routes: ServiceRoutes, revision: str = NO_REVISION
    ) -> Answer:
        """Raises httpx2.HTTPError when nothing answers."""
        headers = {
            REVISION_HEADER: revision,
            SERVICE_HEADER: routes.service,
            "content-type": "application/grpc",
            "te": "trailers",
        }
        path = f"/{INFERENCE}/{PROBE_METHOD}"
        answer = await self._ask(
            self._grpc, "POST", address, listener, path, routes, headers, _EMPTY_MESSAGE
        )
        # An answer without a message has its status in the headers.
        status = answer.headers.get("grpc-status")
        is_served = answer.status_code == httpx2.codes.OK and status != _UNAVAILABLE
        return _answer(answer, is_served)

    async def close(self) -> None:
        await self._http.aclose()
        await self._grpc.aclose()

    async def _ask(
        self,
        client: httpx2.AsyncClient,
        method: str,
        address: str,
        listener: Listener,
        path: str,
        routes: ServiceRoutes,
        headers: dict[str, str],
        content: bytes | None = None,
    ) -> httpx2.Response:
        scheme = "https" if listener.is_encrypted else "http"
        host = _host(listener, routes)
        url = f"{scheme}://{in_url(address)}:{listener.port}{path}"
        extensions = {"sni_hostname": host} if listener.is_encrypted and host else {}
        named = {**headers, "host": host} if host else headers
        return await client.request(
            method, url, headers=named, content=content, extensions=extensions
        )


def in_url(address: str) -> str:
    """A pod's address as a URL names it: one of IPv6 in brackets."""
    return f"[{address}]" if ":" in address else address


def _host(listener: Listener, routes: ServiceRoutes) -> str | None:
    """A name for which the routes are; a wildcard is filled in."""
    name = routes.hostnames[0] if routes.hostnames else listener.hostname
    return name.replace("*", "probe", 1) if name is not None else None


def _answer(answer: httpx2.Response, is_served: bool) -> Answer:
    revision = answer.headers.get(REVISION_HEADER)
    said = answer.headers.get("grpc-message") or f"HTTP {answer.status_code}"
    return Answer(
        version=answer.headers.get(VERSION_HEADER),
        revision=revision,
        is_served=is_served and revision is not None,
        words=said,
    )
