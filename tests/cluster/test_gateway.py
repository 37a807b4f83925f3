"""The platform's Gateway on live Envoys: TLS, and switches while its parts restart or are gone."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest
import pytest_asyncio

from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.credentials import ServingCertificate, serving_certificate
from tests.cluster.harness.envoy_gateway import NAMESPACE as ENVOY_NAMESPACE
from tests.cluster.harness.envoy_gateway import EnvoyGateway
from tests.cluster.routed_service import (
    ENVOYS_SECONDS,
    HOST_NAME,
    Callers,
    create_namespace,
    load,
    make_gateway,
    make_slot,
    service_routes,
    until,
)
from tests.cluster.switch_jobs import SwitchJobs, make_runner_account
from tidegate.cluster import names
from tidegate.cluster.client import Cluster, connect
from tidegate.cluster.kinds import POD, SECRET, Kind
from tidegate.provider.configuration import KubernetesConfiguration
from tidegate.provider.errors import ProviderError
from tidegate.provider.handler import Operation
from tidegate.provider.kubernetes import GatewayReadinessHandler, gateway_readiness
from tidegate.provider.kubernetes.access import ClusterAccess
from tidegate.provider.kubernetes.gateway_readiness import GatewayReadinessInputs
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.spec.traffic import CanaryStep, MaxRegression, SwitchStrategy
from tidegate.traffic.gateway_api.envoys import Envoy, find_envoys
from tidegate.traffic.gateway_api.router import GatewayApiRouter
from tidegate.traffic.switch_documents import Ending

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(600),
]

PLACE, ELSEWHERE = "edge", "security"
ENVOYS = 2
ONE, TWO = "digits-one", "digits-two"
RATE_PER_SECOND = 100.0
FLIPS = 6
ENVOY_PROXY = Kind("gateway.envoyproxy.io", "v1alpha1", "EnvoyProxy", "envoyproxies")
REFERENCE_GRANT = Kind("gateway.networking.k8s.io", "v1beta1", "ReferenceGrant", "referencegrants")
AT_ONCE = SwitchStrategy()
CANARY = SwitchStrategy(
    strategy="canary",
    steps=(CanaryStep(weight=50, seconds=2),),
    minimum_requests=100,
    max_regression=MaxRegression(error_rate=0.05, latency={}),
    patience=50,  # nothing is learnt while the API server starts again
)


@dataclass(frozen=True)
class Edge:
    """A Gateway with one encrypted listener, two slots behind it, and the runner's account."""

    client: Cluster
    gateway: GatewayReference
    gateway_class: str
    certificate: ServingCertificate

    async def envoys(self) -> list[Envoy]:
        return await find_envoys(self.client, self.gateway)

    async def has_all_envoys(self) -> bool:
        """Whether every one that was started is ready."""
        owner = "gateway.envoyproxy.io/owning-gateway"
        labels = {f"{owner}-name": self.gateway.name, f"{owner}-namespace": PLACE}
        pods = await self.client.select(POD, labels, ENVOY_NAMESPACE)
        started = [each for each in pods if "deletionTimestamp" not in each["metadata"]]
        return len(await self.envoys()) == len(started)

    async def use(self, *certificates: str) -> None:
        """Have the listener take its certificates from these Secrets."""
        await make_gateway(self.client, self.gateway_class, ENVOYS, certificates)

    async def readiness(self) -> str:
        """What `up` says about the Gateway. Raises ProviderError."""
        access = _Access(self.client, self.gateway)
        inputs = GatewayReadinessInputs(
            namespace=PLACE, name=self.gateway.name, listeners={"https": ["edge-tls"]}
        )
        made = await GatewayReadinessHandler(access).create(Operation(), inputs)
        return made.outputs.condition


class _Access(ClusterAccess):
    def __init__(self, client: Cluster, gateway: GatewayReference) -> None:
        super().__init__(
            KubernetesConfiguration(
                namespace=PLACE,
                gateway=gateway,
                runner_image="none",
                environment="test",
                evidence="/var/run/tidegate/evidence",
                stack_file="stacks/Pulumi.test.yaml",
            )
        )
        self._cluster = client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(
    cluster: KubernetesCluster, gateway: EnvoyGateway, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Edge]:
    for name in (PLACE, ELSEWHERE):
        create_namespace(cluster, name)
    client = connect(cluster.kubeconfig, None, PLACE)
    made = serving_certificate(tmp_path_factory.mktemp("edge"), "edge", (), (HOST_NAME,))
    await make_secret(client, "edge-tls", made)
    for revision in (ONE, TWO):
        await make_slot(client, revision)
    where = await make_gateway(client, gateway.gateway_class, ENVOYS, ("edge-tls",))
    await make_runner_account(client, where)
    yield Edge(client, where, gateway.gateway_class, made)
    await client.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def router(edge: Edge) -> AsyncIterator[GatewayApiRouter]:
    made = GatewayApiRouter(edge.client, edge.gateway)

    async def are_healthy() -> bool:
        return await made.is_healthy(ONE) and await made.is_healthy(TWO)

    await until(are_healthy)
    await made.apply(service_routes(one=100))
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="module")
async def callers(edge: Edge, router: GatewayApiRouter) -> AsyncIterator[Callers]:
    """Of the first Envoy by name, with the routes in force."""
    made = Callers((await edge.envoys())[0].address, edge.certificate.certificate)
    yield made
    await made.close()


async def make_secret(
    client: Cluster, name: str, made: ServingCertificate, namespace: str = PLACE
) -> None:
    content = {"tls.crt": made.certificate.read_bytes(), "tls.key": made.key.read_bytes()}
    data = {key: base64.b64encode(value).decode() for key, value in content.items()}
    metadata = {"name": name, "namespace": namespace}
    await client.create(SECRET, {"metadata": metadata, "type": "kubernetes.io/tls", "data": data})


async def test_users_verify_the_certificate_over_http_and_grpc(
    edge: Edge, callers: Callers, tmp_path: Path
) -> None:
    assert (await callers.http()).text == ONE
    assert await callers.grpc() == ONE

    other = serving_certificate(tmp_path, "other", (), (HOST_NAME,)).certificate
    address = (await edge.envoys())[0].address
    for doubtful in (
        Callers(address, other),
        Callers(address, edge.certificate.certificate, host="other.test"),
    ):
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await doubtful.http()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await doubtful.grpc()
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        await doubtful.close()


async def test_flips_under_load_over_tls_lose_nothing(
    router: GatewayApiRouter, callers: Callers, record_property: Callable[[str, object], None]
) -> None:
    sides = [service_routes(one=100, two=0), service_routes(one=0, two=100)]
    await router.apply(sides[0])
    async with load(callers, RATE_PER_SECOND) as met:
        for flip in range(FLIPS):
            await router.apply(sides[(flip + 1) % 2], replacing=sides[flip % 2])
            await asyncio.sleep(0.3)
    record_property("answers", dict(met.answers))

    assert met.failures == []
    assert all(met.answers[each, to] for each in ("http", "grpc") for to in (ONE, TWO))


async def test_a_secret_that_is_missing_is_named_with_its_listener(
    edge: Edge, callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_readiness, "LASTING_SECONDS", 1.0)
    envoys = {each.name for each in await edge.envoys()}
    await edge.use("missing-tls")
    began = time.monotonic()

    with pytest.raises(ProviderError) as refused:
        await edge.readiness()

    assert time.monotonic() - began < 30
    assert {each.name for each in await edge.envoys()} == envoys
    await until(lambda: connections_fail(callers))
    began = time.monotonic()
    assert await connections_fail(callers)
    assert time.monotonic() - began < 5, "a user who waits learns it late"
    said = str(refused.value)
    assert said.startswith(f"Listener https of Gateway {PLACE}/tidegate has no valid certificate")
    assert f"Secret {PLACE}/missing-tls does not exist" in said
    await edge.use("edge-tls")
    assert await edge.readiness() == "1 listener served"
    await until(lambda: answers(callers))


async def test_a_certificate_of_another_namespace_needs_its_owners_permission(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(gateway_readiness, "LASTING_SECONDS", 1.0)
    made = serving_certificate(tmp_path, "theirs", (), (HOST_NAME,))
    await make_secret(edge.client, "edge-tls", made, ELSEWHERE)
    await edge.use(f"{ELSEWHERE}/edge-tls")
    with pytest.raises(ProviderError, match=f"Secret {ELSEWHERE}/edge-tls: .* ReferenceGrant"):
        await edge.readiness()

    origin = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": PLACE}
    spec = {"from": [origin], "to": [{"group": "", "kind": "Secret", "name": "edge-tls"}]}
    metadata = {"name": "edge-tls", "namespace": ELSEWHERE}
    await edge.client.create(REFERENCE_GRANT, {"metadata": metadata, "spec": spec})

    assert await edge.readiness() == "1 listener served"
    theirs = Callers((await edge.envoys())[0].address, made.certificate)
    await until(lambda: answers(theirs))
    assert await theirs.grpc() in {ONE, TWO}
    await theirs.close()
    await edge.use("edge-tls")


async def kill_envoy_gateway(cluster: KubernetesCluster, edge: Edge) -> None:
    """SIGKILL; its pod starts it again."""
    cluster.kubelet.kill_container(ENVOY_NAMESPACE, await envoy_gateways_pod(edge))


async def restart_envoy_gateway(cluster: KubernetesCluster, edge: Edge) -> None:
    """SIGTERM; its pod starts it again."""
    pod = await envoy_gateways_pod(edge)
    # With it everything ends that runs in its container, this command too.
    cluster.kubelet.execute(ENVOY_NAMESPACE, pod, ["kill", "-TERM", "1"])


async def envoy_gateways_pod(edge: Edge) -> str:
    (pod,) = await edge.client.select(POD, {"control-plane": "envoy-gateway"}, ENVOY_NAMESPACE)
    return str(pod["metadata"]["name"])


async def restart_api_server(cluster: KubernetesCluster, edge: Edge) -> None:
    await asyncio.to_thread(cluster.control_plane.restart_apiserver)


async def kill_an_envoy_and_add_one(cluster: KubernetesCluster, edge: Edge) -> None:
    gone = (await edge.envoys())[-1]
    replicas = {"provider": {"kubernetes": {"envoyDeployment": {"replicas": ENVOYS + 1}}}}
    await edge.client.patch(ENVOY_PROXY, edge.gateway.name, {"spec": replicas})
    cluster.kubelet.kill_container(ENVOY_NAMESPACE, gone.name, "envoy")


async def runs(edge: Edge, number: int) -> bool:
    """Whether the pod of the switch's Job runs."""
    pods = await edge.client.select(POD, {"job-name": names.switch_job("digits", number)})
    return any(each["status"].get("phase") == "Running" for each in pods)


@pytest.mark.parametrize(
    ("disturb", "strategy"),
    [
        (kill_envoy_gateway, AT_ONCE),
        (restart_envoy_gateway, AT_ONCE),
        (kill_an_envoy_and_add_one, CANARY),
        (restart_api_server, CANARY),
    ],
)
async def test_a_disturbed_switch_ends_as_declared_and_loses_nothing(
    edge: Edge,
    cluster: KubernetesCluster,
    router: GatewayApiRouter,
    callers: Callers,
    disturb: Callable[[KubernetesCluster, Edge], Awaitable[None]],
    strategy: SwitchStrategy,
    record_property: Callable[[str, object], None],
) -> None:
    """Its users reach an Envoy that stays.

    A canary has moved half of the traffic when it happens, a switch at once is about to move it.
    """
    before, declared = service_routes(one=100, two=0), service_routes(one=0, two=100)
    jobs = SwitchJobs(edge.client, edge.gateway)
    await router.apply(before)
    async with load(callers, RATE_PER_SECOND) as met:
        run = await jobs.submit(before, declared, strategy)
        await until(lambda: jobs.shares(TWO) if strategy is CANARY else runs(edge, run.number))
        began = time.monotonic()
        await disturb(cluster, edge)
        outcome = await jobs.outcome(run)
        record_property("from the disturbance to the outcome, s", time.monotonic() - began)
    record_property("answers", dict(met.answers))

    assert outcome.ending is Ending.ADVANCED, outcome.reason
    assert met.failures == []
    await until(edge.has_all_envoys, ENVOYS_SECONDS)
    assert await router.observe("digits") == declared
    assert {(await callers.http()).text for _ in range(20)} == {TWO}


async def connections_fail(callers: Callers) -> bool:
    try:
        await callers.http()
    except httpx.ConnectError:
        return True
    return False


async def answers(callers: Callers) -> bool:
    try:
        return (await callers.http()).is_success
    except httpx.HTTPError:
        return False
