"""A Gateway with real Envoys, slots of a service behind it, and callers in front."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import grpc
import httpx
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Namespace

from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.programs import STUB_IMAGE
from tests.engine.harness.upstream import SERVICE as INFERENCE
from tests.engine.harness.upstream import raw
from tidegate.cluster.client import Cluster
from tidegate.cluster.kinds import DEPLOYMENT, SERVICE, Kind
from tidegate.kubernetes.gateway_objects import gateway_objects, reference
from tidegate.spec.kubernetes_gateway import GatewayReference, Https, NewGateway
from tidegate.traffic.gateway_api.envoys import find_envoys
from tidegate.traffic.router import RouterError
from tidegate.traffic.routes import REVISION_HEADER, ServiceRoutes

PORT = 8888
HOST_NAME = "digits.test"
INFER = "/v2/models/digits/infer"
GENERATE_STREAM = "/v2/models/digits/generate_stream"
RESPONSIVE = MappingProxyType({"httpGet": {"path": "/ready", "port": 8000}})
WAIT_SECONDS = 120.0
ENVOYS_SECONDS = 2 * WAIT_SECONDS
"""An Envoy that finds no Envoy Gateway at first waits up to 30 s between its attempts."""


def service_routes(hostnames: tuple[str, ...] = (HOST_NAME,), **weights: int) -> ServiceRoutes:
    """`one=90, two=10` are the revisions digits-one and digits-two."""
    return ServiceRoutes(
        service="digits",
        models=("digits",),
        weights={f"digits-{name}": weight for name, weight in weights.items()},
        request_timeout_seconds=10,
        hostnames=hostnames,
    )


async def make_gateway(
    cluster: Cluster, gateway_class: str, envoys: int, certificates: tuple[str, ...] = ()
) -> GatewayReference:
    """The platform's own Gateway objects; returns once its Envoys are ready.

    With certificates (Secrets) its one listener is encrypted. An existing one is changed.
    """
    gateway = NewGateway(
        gateway_class=gateway_class,
        http_port=None if certificates else PORT,
        https=Https(port=PORT, certificates=certificates) if certificates else None,
        service_type="ClusterIP",
        replicas=envoys,
    )
    for each in gateway_objects(gateway, cluster.namespace):
        await cluster.apply(kind_of(each), dict(each))
    where = reference(gateway, cluster.namespace)

    async def are_ready() -> bool:
        try:
            return len(await find_envoys(cluster, where)) == envoys
        except RouterError:
            return False

    await until(are_ready, ENVOYS_SECONDS)
    return where


async def make_slot(
    cluster: Cluster, revision: str, replicas: int = 1, ready: Mapping[str, Any] = RESPONSIVE
) -> None:
    """A stub server under the names that a slot has. `ready` is its readiness probe."""
    labels = {"tidegate.dev/revision": revision}
    await make_deployment(cluster, revision, labels, replicas, ready=ready)
    ports = [
        {"name": "http", "port": 8000},
        {"name": "grpc", "port": 8001, "appProtocol": "kubernetes.io/h2c"},
    ]
    await cluster.create(
        SERVICE,
        {
            "metadata": {"name": revision, "labels": labels},
            "spec": {"selector": labels, "ports": ports},
        },
    )


async def make_deployment(
    cluster: Cluster,
    name: str,
    labels: Mapping[str, str],
    replicas: int = 1,
    command: Sequence[str] = ("tritonserver",),
    ready: Mapping[str, Any] = RESPONSIVE,
) -> None:
    """Pods of the stub server's image with these labels."""
    own = {"deployment": name}
    container = {
        "name": "server",
        "image": STUB_IMAGE,
        "command": list(command),
        "readinessProbe": {
            "timeoutSeconds": 5,
            **ready,
            "periodSeconds": 1,
            "failureThreshold": 3,
        },
    }
    template = {
        "metadata": {"labels": {**labels, **own}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 3},
    }
    spec = {"replicas": replicas, "selector": {"matchLabels": own}, "template": template}
    await cluster.create(DEPLOYMENT, {"metadata": {"name": name}, "spec": spec})


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = WAIT_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.2)


class Callers:
    """HTTP and gRPC requests to the users' port of one Envoy.

    With an `authority`, the path of a PEM file, they are encrypted and the certificate has to be
    one of that authority for `host`.
    """

    def __init__(self, address: str, authority: Path | None = None, host: str = HOST_NAME) -> None:
        target = f"{address}:{PORT}"
        options = [("grpc.default_authority", HOST_NAME)]
        self._extensions: dict[str, str] = {}
        if authority is None:
            base, verify = f"http://{target}", ssl.create_default_context()
            self._channel = grpc.aio.insecure_channel(target, options=options)
        else:
            # The address belongs to no name: users find it by the name that the certificate has.
            base, verify = f"https://{target}", ssl.create_default_context(cafile=str(authority))
            self._extensions = {"sni_hostname": host}
            options.append(("grpc.ssl_target_name_override", host))
            credentials = grpc.ssl_channel_credentials(authority.read_bytes())
            self._channel = grpc.aio.secure_channel(target, credentials, options=options)
        self._http = httpx.AsyncClient(
            base_url=base, headers={"host": HOST_NAME}, timeout=WAIT_SECONDS, verify=verify
        )
        self._infer = self._channel.unary_unary(f"/{INFERENCE}/ModelInfer", raw, raw)
        self._stream = self._channel.stream_stream(f"/{INFERENCE}/ModelStreamInfer", raw, raw)

    async def http(self, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._http.post(
            INFER, headers=named, content=b"{}", extensions=self._extensions
        )

    async def grpc(self, **metadata: str) -> str:
        """The revision that answered. Raises grpc.aio.AioRpcError."""
        named = [(name.replace("_", "-"), value) for name, value in metadata.items()]
        answer: bytes = await self._infer(b"x", metadata=named, timeout=WAIT_SECONDS)
        return answer.decode()

    def stream(self, messages: AsyncIterator[bytes]) -> Any:
        return self._stream(messages)

    async def grpc_events(self, count: int) -> int:
        """How many messages come on a stream whose caller has said everything at once.

        Raises grpc.aio.AioRpcError.
        """
        metadata = [("x-events", str(count))]
        return len([each async for each in self._stream(_nothing(), metadata=metadata)])

    async def events(self, count: int) -> int:
        """How many server-sent events come before the stream ends or is ended."""
        found = 0
        named = {"x-events": str(count)}
        async with self._http.stream(
            "POST", GENERATE_STREAM, headers=named, extensions=self._extensions, timeout=60
        ) as answer:
            with contextlib.suppress(httpx.RemoteProtocolError):
                async for line in answer.aiter_lines():
                    found += line.startswith("data: ")
        return found

    async def close(self) -> None:
        await self._http.aclose()
        await self._channel.close()


@dataclass
class Met:
    """What a load has met: answers by revision and protocol, and failures in words."""

    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    last_at: dict[str, float] = field(default_factory=dict)
    """When a request that the revision answered was sent last."""

    def answered(self, protocol: str, revision: str, sent: float) -> None:
        self.answers[protocol, revision] += 1
        self.last_at[revision] = max(sent, self.last_at.get(revision, 0.0))


@asynccontextmanager
async def load(callers: Callers, rate_per_second: float) -> AsyncIterator[Met]:
    """Half of the requests over HTTP, half over gRPC, at fixed times whatever they take."""
    met = Met()
    running: set[asyncio.Task[None]] = set()

    async def ask(number: int) -> None:
        sent = time.monotonic()
        try:
            if number % 2:
                met.answered("grpc", await callers.grpc(), sent)
            else:
                answer = await callers.http()
                answer.raise_for_status()
                met.answered("http", answer.text, sent)
        except (httpx.HTTPError, grpc.aio.AioRpcError) as error:
            met.failures.append(f"{number}: {error!r}")

    async def keep_asking() -> None:
        begun, number = time.monotonic(), 0
        while True:
            number += 1
            await asyncio.sleep(max(0.0, begun + number / rate_per_second - time.monotonic()))
            task = asyncio.create_task(ask(number))
            running.add(task)
            task.add_done_callback(running.discard)

    asking = asyncio.create_task(keep_asking())
    try:
        yield met
    finally:
        asking.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def pinned(revision: str) -> dict[str, str]:
    return {REVISION_HEADER.replace("-", "_"): revision}


async def _nothing() -> AsyncIterator[bytes]:
    messages: tuple[bytes, ...] = ()
    for each in messages:
        yield each


def kind_of(manifest: Any) -> Kind:
    """The kind of a manifest, whose plural is regular."""
    group, _, version = manifest["apiVersion"].rpartition("/")
    name = manifest["kind"].lower()
    if name.endswith(("ss", "xy")):
        plural = f"{name}es" if name.endswith("ss") else f"{name[:-1]}ies"
    elif name.endswith("cy"):
        plural = f"{name[:-1]}ies"
    else:
        plural = f"{name}s"
    is_namespaced = "namespace" in manifest["metadata"]
    return Kind(group, version, manifest["kind"], plural, namespaced=is_namespaced)


def create_namespace(cluster: KubernetesCluster, name: str) -> None:
    cluster.client().create(Namespace(metadata=ObjectMeta(name=name)))
