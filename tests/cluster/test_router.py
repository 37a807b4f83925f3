"""The router on a real API server, Envoy Gateway and Envoys."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import pairwise

import grpc
import pytest
import pytest_asyncio

from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.envoy_gateway import EnvoyGateway
from tests.cluster.routed_service import (
    HOST_NAME,
    WAIT_SECONDS,
    Callers,
    create_namespace,
    load,
    make_deployment,
    make_gateway,
    make_slot,
    pinned,
    service_routes,
    until,
)
from tests.engine.harness.upstream import EVENT_SECONDS, SLOW_SECONDS
from tidegate.cluster.client import Cluster, connect
from tidegate.cluster.endpoints import addresses_of
from tidegate.cluster.kinds import BACKEND_TRAFFIC_POLICY, DEPLOYMENT, HTTP_ROUTE, POD
from tidegate.cluster.names import HTTP_PORT_NAME
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.spec.traffic import Affinity
from tidegate.traffic.drain import drain
from tidegate.traffic.gateway_api.envoys import find_envoys
from tidegate.traffic.gateway_api.objects import owned
from tidegate.traffic.gateway_api.router import GatewayApiRouter
from tidegate.traffic.router import RouterError, RoutesChangedError

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(600),
]

ENVOYS = 2
ONE, TWO = "digits-one", "digits-two"
FLIPS = 20
RATE_PER_SECOND = 100.0
ENVOYS_DEFAULT_SECONDS = 15.0
SICK = "/run/sick"
BEHIND_SECONDS = 1.5
"""Envoy sums latencies up every second."""


@pytest.fixture(scope="module")
def place(cluster: KubernetesCluster) -> str:
    """A namespace that this module's tests share, one after the other."""
    create_namespace(cluster, "routed")
    return "routed"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(
    cluster: KubernetesCluster, gateway: EnvoyGateway, place: str
) -> AsyncIterator[Cluster]:
    made = connect(cluster.kubeconfig, None, place)
    yield made
    await made.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def where(client: Cluster, gateway: EnvoyGateway) -> GatewayReference:
    for revision in (ONE, TWO):
        await make_slot(client, revision)
    return await make_gateway(client, gateway.gateway_class, ENVOYS)


@pytest_asyncio.fixture(loop_scope="module")
async def router(client: Cluster, where: GatewayReference) -> AsyncIterator[GatewayApiRouter]:
    made = GatewayApiRouter(client, where)

    async def are_healthy() -> bool:
        return await made.is_healthy(ONE) and await made.is_healthy(TWO)

    await until(are_healthy)
    yield made
    await made.withdraw("digits")
    await made.close()


@pytest_asyncio.fixture(loop_scope="module")
async def callers(client: Cluster, where: GatewayReference) -> AsyncIterator[Callers]:
    made = Callers((await find_envoys(client, where))[0].address)
    yield made
    await made.close()


@pytest.fixture
def timed(record_property: Callable[[str, object], None]) -> Callable[[str, object], None]:
    def record(what: str, value: object) -> None:
        record_property(what, value)
        print(f"{what}: {value}")

    return record


@pytest.mark.parametrize("hostname", [HOST_NAME, "*.test"])
async def test_routes_are_in_force_when_apply_returns(
    router: GatewayApiRouter, callers: Callers, hostname: str
) -> None:
    routes = service_routes((hostname,), one=100)

    await router.apply(routes)

    assert await router.observe("digits") == routes
    assert (await callers.http()).text == ONE
    assert await callers.grpc() == ONE
    answer = await callers.http()
    assert ONE in answer.headers["x-tidegate-revision"]


async def test_a_pinned_request_never_falls_back(
    router: GatewayApiRouter, callers: Callers
) -> None:
    await router.apply(service_routes(one=100, two=0))

    for revision in (ONE, TWO):
        answer = await callers.http(**pinned(revision))
        assert (answer.text, answer.headers["x-tidegate-revision"]) == (revision, revision)
        assert await callers.grpc(**pinned(revision)) == revision
    assert (await callers.http(**pinned("digits-nine"))).status_code == 404
    with pytest.raises(grpc.aio.AioRpcError):
        await callers.grpc(**pinned("digits-nine"))


async def test_a_pinned_request_fails_when_its_revision_has_no_server(
    router: GatewayApiRouter, callers: Callers, client: Cluster
) -> None:
    await make_slot(client, "digits-cold", replicas=0)
    await router.apply(service_routes(one=100, cold=0))

    assert (await callers.http(**pinned("digits-cold"))).status_code == 503
    with pytest.raises(grpc.aio.AioRpcError):
        await callers.grpc(**pinned("digits-cold"))
    assert not await router.is_healthy("digits-cold")
    assert (await callers.http()).text == ONE


async def test_weights_are_obeyed(router: GatewayApiRouter, callers: Callers) -> None:
    await router.apply(service_routes(one=100))
    await router.apply(service_routes(one=80, two=20), replacing=service_routes(one=100))

    http = Counter([(await callers.http()).text for _ in range(400)])
    calls = Counter([await callers.grpc() for _ in range(400)])

    # Binomial: 5 standard deviations are 40.
    assert 40 <= http[TWO] <= 120 and http[ONE] + http[TWO] == 400
    assert 40 <= calls[TWO] <= 120 and calls[ONE] + calls[TWO] == 400


async def test_counters_count_what_users_meet(router: GatewayApiRouter, callers: Callers) -> None:
    await router.apply(service_routes(one=100))
    await asyncio.sleep(BEHIND_SECONDS)
    before = await router.user_counters(ONE)

    for number in range(60):
        await callers.http(x_do="fail" if number < 6 else "nothing")
    for number in range(40):
        try:
            await callers.grpc(x_do="fail" if number < 4 else "nothing")
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.INTERNAL

    async def counted() -> bool:
        after = await router.user_counters(ONE)
        timed = sum(each.count for each in after.latency) - sum(
            each.count for each in before.latency
        )
        return (after.requests - before.requests, after.errors - before.errors, timed) == (
            100,
            10,
            100,
        )

    await until(counted)


async def test_slow_requests_are_in_the_latencies(
    router: GatewayApiRouter, callers: Callers
) -> None:
    await router.apply(service_routes(one=100))
    before = await router.user_counters(ONE)
    asked = [asyncio.ensure_future(callers.http(x_do="slow")) for _ in range(5)]
    asked_grpc = [asyncio.ensure_future(callers.grpc(x_do="slow")) for _ in range(3)]
    await asyncio.gather(*asked, *asked_grpc)

    async def slow_ones() -> bool:
        after = await router.user_counters(ONE)
        late = [each for each in after.latency if each.lower_seconds > 0.8 * SLOW_SECONDS]
        were = {each.lower_seconds: each.count for each in before.latency}
        return sum(each.count - were.get(each.lower_seconds, 0) for each in late) == 8

    await until(slow_ones)


async def test_requests_without_an_answer_are_in_flight(
    router: GatewayApiRouter, callers: Callers
) -> None:
    await router.apply(replace(service_routes(one=100), request_timeout_seconds=WAIT_SECONDS))
    asked = [asyncio.ensure_future(callers.http(x_do="hang")) for _ in range(5)]
    asked_grpc = [asyncio.ensure_future(callers.grpc(x_do="hang")) for _ in range(3)]

    async def all_in_flight() -> bool:
        return await router.open_requests(ONE) == {"http": 5, "grpc": 3}

    await until(all_in_flight)
    for each in (*asked, *asked_grpc):
        each.cancel()
    await asyncio.gather(*asked, *asked_grpc, return_exceptions=True)

    async def none_in_flight() -> bool:
        return await router.active_requests(ONE) == 0

    await until(none_in_flight)


async def test_a_drain_waits_for_open_streams(router: GatewayApiRouter, callers: Callers) -> None:
    await router.apply(service_routes(one=100))
    ends = asyncio.Event()

    async def messages() -> AsyncIterator[bytes]:
        yield b"first"
        await ends.wait()

    stream = callers.stream(messages())
    assert await stream.read() == f"{ONE} first".encode()
    await router.apply(service_routes(two=100))

    waiting = asyncio.ensure_future(drain(router, ONE, 30, asyncio.sleep, lambda line: None))
    await asyncio.sleep(1.0)
    assert not waiting.done()
    ends.set()
    drained = await asyncio.wait_for(waiting, 15)

    assert drained.left == 0 and drained.seconds >= 1.0
    await router.release("digits")
    assert (await callers.http(**pinned(ONE))).status_code == 404
    assert (await callers.http()).text == TWO


async def test_routes_that_somebody_else_changed_are_not_replaced(
    router: GatewayApiRouter,
) -> None:
    await router.apply(service_routes(one=100))
    await router.apply(service_routes(two=100))

    with pytest.raises(RoutesChangedError):
        await router.apply(service_routes(one=50, two=50), replacing=service_routes(one=100))

    assert await router.observe("digits") == service_routes(two=100)


async def test_an_edited_route_is_not_in_force_and_is_mended(
    router: GatewayApiRouter, client: Cluster
) -> None:
    routes = service_routes(one=100, two=0)
    await router.apply(routes)
    found = await client.get(HTTP_ROUTE, "digits")
    found["spec"]["rules"][-1]["backendRefs"][0]["weight"] = 7
    found["spec"]["hostnames"] = ["elsewhere.test"]
    await client.replace(HTTP_ROUTE, found)

    assert await router.observe("digits") is None
    await router.apply(routes, replacing=routes)
    assert await router.observe("digits") == routes


async def test_an_edited_policy_is_mended(router: GatewayApiRouter, client: Cluster) -> None:
    """Others' fields survive an apply, and a load balancer parts the rules' clusters."""
    routes = service_routes(one=100, two=0)
    await router.apply(routes)
    await client.delete(BACKEND_TRAFFIC_POLICY, "digits.calls")
    assert await router.observe("digits") is None
    await router.apply(routes, replacing=routes)
    added = {"loadBalancer": {"type": "Random"}}
    await client.patch(BACKEND_TRAFFIC_POLICY, "digits.calls", {"spec": added})
    assert await router.observe("digits") is None
    await router.apply(routes, replacing=routes)

    assert await router.observe("digits") == routes


async def test_routes_to_a_service_that_is_not_there_are_refused_and_taken_back(
    router: GatewayApiRouter, callers: Callers
) -> None:
    before = service_routes(one=100)
    await router.apply(before)

    with pytest.raises(RouterError, match="digits-missing"):
        await router.apply(service_routes(one=50, missing=50), replacing=before)

    assert (await callers.http()).text == ONE
    await router.apply(service_routes(two=100), replacing=before)
    assert (await callers.http()).text == TWO


async def test_a_session_stays_where_it_began(router: GatewayApiRouter, callers: Callers) -> None:
    sticky = Affinity(cookie="digits-session")
    both = replace(service_routes(one=50, two=50), affinity=sticky)
    await router.apply(both)
    began = await callers.http()
    cookie = began.headers["set-cookie"].partition(";")[0]

    answers = {(await callers.http(cookie=cookie)).text for _ in range(30)}
    calls = {await callers.grpc(cookie=cookie) for _ in range(30)}

    assert answers == calls == {began.text}


async def test_withdrawn_routes_are_gone(
    router: GatewayApiRouter, callers: Callers, client: Cluster
) -> None:
    await router.apply(service_routes(one=100))

    await router.withdraw("digits")

    assert (await callers.http()).status_code == 404
    found = [await client.find(kind, name) for kind, name in owned("digits")]
    assert found == [None] * len(found)
    assert await router.observe("digits") is None


async def test_flips_under_load_lose_nothing(
    router: GatewayApiRouter, callers: Callers, timed: Callable[[str, object], None]
) -> None:
    """Every flip takes one revision from 100 to 0 percent and the other from 0 to 100."""
    sides = [service_routes(one=100, two=0), service_routes(one=0, two=100)]
    await router.apply(sides[0])
    took, until_last, lingered = [], [], []
    async with load(callers, RATE_PER_SECOND) as met:
        await asyncio.sleep(1)
        for flip in range(FLIPS):
            old, new = sides[flip % 2], sides[(flip + 1) % 2]
            began = time.monotonic()
            await router.apply(new, replacing=old)
            ended = time.monotonic()
            took.append(ended - began)
            await asyncio.sleep(0.7)
            left = met.last_at[str(old.live_revision)]
            until_last.append(left - began)
            lingered.append(left - ended)
    timed("apply, ms", [round(each * 1000) for each in took])
    timed(
        "last request at the old side after apply began, ms",
        [round(each * 1000) for each in until_last],
    )
    timed(
        "last request at the old side after apply returned, ms",
        [round(each * 1000) for each in lingered],
    )
    timed("answers", dict(met.answers))

    assert met.failures == []
    assert sum(met.answers.values()) > FLIPS * RATE_PER_SECOND / 2
    # Nothing that was sent after `apply` returned reached the old side.
    assert max(lingered) < 0


async def test_revisions_that_come_and_go_under_load_lose_nothing(
    router: GatewayApiRouter, callers: Callers, timed: Callable[[str, object], None]
) -> None:
    """A promotion without a standby: the other revision's cluster is new each time."""
    steps = [service_routes(one=100), service_routes(one=90, two=10), service_routes(two=100)]
    order = [*steps, *reversed(steps[:-1])]
    await router.apply(order[0])
    async with load(callers, RATE_PER_SECOND) as met:
        for _ in range(3):
            for old, new in pairwise(order):
                await router.apply(new, replacing=old)
                await asyncio.sleep(0.3)
                await router.release("digits")
    timed("answers", dict(met.answers))

    assert met.failures == []


async def test_a_cold_standby_comes_to_traffic_without_loss(
    router: GatewayApiRouter, callers: Callers, client: Cluster
) -> None:
    before = service_routes(one=100, cold=0)
    if await client.find(DEPLOYMENT, "digits-cold") is None:
        await make_slot(client, "digits-cold", replicas=0)
    await router.apply(before)
    await client.patch(DEPLOYMENT, "digits-cold", {"spec": {"replicas": 1}})

    async def is_healthy() -> bool:
        return await router.is_healthy("digits-cold")

    await until(is_healthy)
    async with load(callers, RATE_PER_SECOND) as met:
        await router.apply(service_routes(one=0, cold=100), replacing=before)
        await asyncio.sleep(0.5)

    assert met.failures == []
    assert met.answers["http", "digits-cold"] and met.answers["grpc", "digits-cold"]


async def test_a_retry_reaches_a_server_where_the_first_try_found_none(
    router: GatewayApiRouter, callers: Callers, client: Cluster
) -> None:
    """One of two pods is ready and does not listen. Pinned requests are never repeated."""
    await make_slot(client, "digits-half")
    pods = {"tidegate.dev/revision": "digits-half"}
    always = {"exec": {"command": ["true"]}}
    await make_deployment(client, "deaf", pods, command=["sleep", "600"], ready=always)

    async def fails() -> bool:
        return (await callers.http()).status_code == 503

    without = service_routes(half=100)
    await router.apply(without)
    await until(fails)
    assert 10 <= await failures(callers) <= 70
    addresses = (await addresses_of(client, "digits-half", HTTP_PORT_NAME)).values()
    assert len({each.target for each in addresses if each.is_ready}) == 2, "the pods', not ours"

    await router.apply(replace(without, retries=5), replacing=without)
    assert await failures(callers) == 0
    assert await failures(callers, **pinned("digits-half")) >= 10
    assert (await router.user_counters("digits-half")).retries > 0


async def test_unready_servers_get_nothing_and_their_share_goes_nowhere_else(
    router: GatewayApiRouter, callers: Callers, client: Cluster, cluster: KubernetesCluster
) -> None:
    """No panic: not to servers that are known not to be ready, and not to another revision."""
    ready = {"exec": {"command": ["test", "!", "-e", SICK]}}
    await make_slot(client, "digits-sick", ready=ready)
    await router.apply(service_routes(one=100))
    await router.apply(service_routes(one=50, sick=50), replacing=service_routes(one=100))
    (pod,) = await client.select(POD, {"deployment": "digits-sick"})
    cluster.kubelet.execute("routed", pod["metadata"]["name"], ["touch", SICK])

    async def is_out() -> bool:
        return (await callers.http(**pinned("digits-sick"))).status_code == 503

    await until(is_out)
    assert not await router.is_healthy("digits-sick")
    http = Counter([(await callers.http()).status_code for _ in range(100)])
    assert http[200] + http[503] == 100 and 25 <= http[503] <= 75
    assert 25 <= await grpc_failures(callers, 100) <= 75
    assert await grpc_failures(callers, 10, **pinned("digits-sick")) == 10


async def test_requests_end_at_their_limit_and_streams_do_not(
    router: GatewayApiRouter, callers: Callers
) -> None:
    await router.apply(replace(service_routes(one=100), request_timeout_seconds=0.3))

    assert (await callers.http(x_do="slow")).status_code == 504
    with pytest.raises(grpc.aio.AioRpcError) as late:
        await callers.grpc(x_do="slow")
    assert late.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
    assert await both_streams(callers, 10) == (10, 10)


async def test_streams_outlast_what_envoy_allows_by_default(
    router: GatewayApiRouter, callers: Callers
) -> None:
    await router.apply(service_routes(one=100))
    events = int(1.1 * ENVOYS_DEFAULT_SECONDS / EVENT_SECONDS)

    assert await both_streams(callers, events) == (events, events)


async def test_a_stream_over_http_ends_at_its_limit(
    router: GatewayApiRouter, callers: Callers
) -> None:
    await router.apply(replace(service_routes(one=100), max_stream_seconds=1.5))

    assert 1 <= await callers.events(300) < 150


async def test_a_drain_ends_at_its_limit_and_says_what_is_open(
    router: GatewayApiRouter, callers: Callers
) -> None:
    await router.apply(service_routes(one=100))
    streams = asyncio.ensure_future(both_streams(callers, 100))

    async def have_begun() -> bool:
        return await router.open_requests(ONE) == {"http": 1, "grpc": 1}

    await until(have_begun)
    await router.apply(service_routes(two=100))

    drained = await drain(router, ONE, 1.0, asyncio.sleep, lambda line: None)

    assert drained.open_requests == {"http": 1, "grpc": 1}
    assert 1.0 <= drained.seconds < 100 * EVENT_SECONDS
    # They are on the old side until they end by themselves.
    assert await streams == (100, 100)


async def both_streams(callers: Callers, count: int) -> tuple[int, int]:
    """How many messages come of so many over HTTP and over gRPC at the same time."""
    http, calls = await asyncio.gather(callers.events(count), callers.grpc_events(count))
    return http, calls


async def failures(callers: Callers, **named: str) -> int:
    """Of 80 requests, half of them over gRPC."""
    http = [(await callers.http(**named)).status_code for _ in range(40)]
    assert set(http) <= {200, 503}
    return http.count(503) + await grpc_failures(callers, 40, **named)


async def grpc_failures(callers: Callers, count: int, **named: str) -> int:
    failed = 0
    for _ in range(count):
        try:
            await callers.grpc(**named)
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            failed += 1
    return failed
