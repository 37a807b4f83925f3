"""Routes as the API server has them."""

import asyncio
from typing import Any

import pytest

from tests.unit.cluster.api_server import NAMESPACE, ApiServer
from tests.unit.traffic.conducting import BEFORE, NEW, OLD, TARGET
from tidegate.cluster.errors import MissingKindError
from tidegate.cluster.kinds import GRPC_ROUTE, HTTP_ROUTE
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.traffic.gateway_api import route_writer
from tidegate.traffic.gateway_api.desired import DesiredRoutes
from tidegate.traffic.gateway_api.objects import owned, render
from tidegate.traffic.gateway_api.recorded import ONE_OF_BOTH, RecordedRoutes
from tidegate.traffic.gateway_api.router import GatewayApiRouter
from tidegate.traffic.gateway_api.silences import Told
from tidegate.traffic.router import RouterError, RoutesChangedError
from tidegate.traffic.routes import ServiceRoutes

pytestmark = pytest.mark.unit

GATEWAY = GatewayReference(namespace="edge", name="tidegate", http_section="http")
DESIRED = DesiredRoutes(TARGET, ("digits-0-00000000",))


def accepted(generation: int, **changed: str) -> dict[str, Any]:
    """The status that Envoy Gateway writes; `ResolvedRefs="False"` says otherwise."""
    conditions = [
        {
            "type": name,
            "status": changed.get(name, "True"),
            "observedGeneration": generation,
            "reason": "BackendNotFound" if name in changed else name,
            "message": "service digits-9 not found" if name in changed else "fine",
        }
        for name in ("Accepted", "ResolvedRefs")
    ]
    reference = {"namespace": GATEWAY.namespace, "name": GATEWAY.name}
    return {"parents": [{"parentRef": reference, "conditions": conditions}]}


@pytest.fixture
def api() -> ApiServer:
    return ApiServer()


@pytest.fixture
def recorded(api: ApiServer) -> RecordedRoutes:
    return RecordedRoutes(api.cluster(), GATEWAY)


class ServesAll:
    """A data plane that has what it is asked for."""

    async def not_serving(
        self, routes: ServiceRoutes, version: str, *, leaves_out_silent: bool = False
    ) -> Told:
        return Told()

    async def not_reaching(self, routes: ServiceRoutes, revision: str) -> Told:
        return Told()

    async def close(self) -> None:
        return


def put(
    api: ApiServer,
    desired: DesiredRoutes = DESIRED,
    gateway: GatewayReference = GATEWAY,
    **changed: str,
) -> None:
    for kind, content in render(desired, gateway):
        stored = api.put(kind.plural, content)
        if kind in {HTTP_ROUTE, GRPC_ROUTE}:
            stored["status"] = accepted(stored["metadata"]["generation"], **changed)


async def test_routes_in_force_have_no_problems(api: ApiServer, recorded: RecordedRoutes) -> None:
    put(api)

    found = await recorded.of("digits")

    assert found is not None
    assert (found.routes, found.problems, found.is_settled) == (TARGET, (), True)
    assert found.mentions("digits-0-00000000") and found.mentions(OLD)
    assert not found.mentions("digits-9-ffffffff")
    assert [each.routes for each in await recorded.all()] == [TARGET]


async def test_a_service_without_routes_has_none(recorded: RecordedRoutes) -> None:
    assert await recorded.of("digits") is None
    assert await recorded.all() == []


async def test_a_route_that_somebody_else_made_is_none_of_ours(
    api: ApiServer, recorded: RecordedRoutes
) -> None:
    api.put("httproutes", {"metadata": {"name": "digits"}, "spec": {"rules": []}})

    assert await recorded.of("digits") is None


async def test_of_a_kind_that_is_not_installed_there_is_no_object(
    api: ApiServer, recorded: RecordedRoutes
) -> None:
    put(api)
    api.unknown_plurals = {"grpcroutes"}
    found = await recorded.of("digits")
    assert found is not None and found.problems == ("GRPCRoute digits is missing",)

    api.unknown_plurals = {"httproutes", "grpcroutes"}
    assert await recorded.of("digits") is None


@pytest.mark.parametrize("plural", ["httproutes", "grpcroutes", "backendtrafficpolicies"])
async def test_routes_of_a_kind_that_is_not_installed_cannot_be_written(
    api: ApiServer, recorded: RecordedRoutes, plural: str
) -> None:
    await recorded.check_kinds("digits")
    api.unknown_plurals = {plural}

    with pytest.raises(MissingKindError, match="Install its CustomResourceDefinition"):
        await recorded.check_kinds("digits")


async def test_edited_missing_and_refused_objects_are_named(
    api: ApiServer, recorded: RecordedRoutes
) -> None:
    put(api, ResolvedRefs="False")
    api.get("httproutes", "digits")["spec"]["rules"][-1]["backendRefs"][0]["weight"] = 7
    del api.objects["grpcroutes", NAMESPACE, "digits"]
    del api.objects["backendtrafficpolicies", NAMESPACE, "digits"]
    api.get("backendtrafficpolicies", "digits.calls")["spec"]["retry"]["perRetry"].pop("timeout")
    api.get("httproutefilters", "digits")["spec"]["directResponse"]["statusCode"] = 200

    found = await recorded.of("digits")

    assert found is not None and [found] == await recorded.all()
    assert found.problems == (
        "HTTPRoute digits was edited past tidegate",
        "HTTPRoute digits: BackendNotFound: service digits-9 not found",
        "GRPCRoute digits is missing",
        "BackendTrafficPolicy digits is missing",
        "HTTPRouteFilter digits was edited past tidegate",
        "BackendTrafficPolicy digits.calls was edited past tidegate",
    )


@pytest.mark.parametrize("grpc_section", ["http", "grpc"])
async def test_a_controller_that_accepts_one_of_both_kinds_is_explained(
    api: ApiServer, grpc_section: str
) -> None:
    gateway = GATEWAY.model_copy(update={"grpc_section": grpc_section})
    put(api, gateway=gateway)
    route = api.get("grpcroutes", "digits")
    route["status"] = accepted(route["metadata"]["generation"], Accepted="False")

    found = await RecordedRoutes(api.cluster(), gateway).of("digits")

    assert found is not None and found.problems[0].startswith("GRPCRoute digits: ")
    assert found.problems[1:] == ((ONE_OF_BOTH,) if grpc_section == "http" else ())


async def test_a_route_of_another_version_is_not_settled(
    api: ApiServer, recorded: RecordedRoutes
) -> None:
    put(api)
    api.get("grpcroutes", "digits")["metadata"]["generation"] += 1

    found = await recorded.of("digits")

    assert found is not None and not found.is_settled


async def test_withdrawing_deletes_every_object(api: ApiServer, recorded: RecordedRoutes) -> None:
    put(api)
    api.unknown_plurals = {"backendtrafficpolicies"}

    await recorded.withdraw("digits")

    left = {kind.plural for kind, name in owned("digits") if name in api.names(kind.plural)}
    assert left == {"backendtrafficpolicies"}


async def test_only_the_routes_that_were_meant_are_replaced(api: ApiServer) -> None:
    put(api)
    router = GatewayApiRouter(api.cluster(), GATEWAY)

    with pytest.raises(RoutesChangedError):
        await router.apply(TARGET, replacing=BEFORE)
    await router.close()


async def test_what_the_controller_lost_a_word_of_is_written_again(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Envoy Gateway does so when the API server goes away as it reports."""
    put(api)
    seen = api.get("httproutes", "digits")["metadata"]["generation"]
    monkeypatch.setattr(route_writer, "AGAIN_SECONDS", 0.2)
    router = GatewayApiRouter(api.cluster(), GATEWAY)
    monkeypatch.setattr(router, "_data_plane", served := ServesAll())
    monkeypatch.setattr(router._writer, "_data_plane", served)

    async def reports() -> None:
        """Of every generation but the first that the move makes."""
        while True:
            for plural in ("httproutes", "grpcroutes"):
                route = api.get(plural, "digits")
                generation = route["metadata"]["generation"]
                if generation > seen + 1:
                    route["status"] = accepted(generation)
            await asyncio.sleep(0.02)

    controller = asyncio.create_task(reports())
    async with asyncio.timeout(20):
        await router.apply(BEFORE, replacing=TARGET)
    controller.cancel()

    found = await router.observe("digits")
    assert found == BEFORE
    await router.close()


async def test_what_an_apply_leaves_of_others_is_removed(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fields that another manager owns survive an apply that does not name them."""
    router = GatewayApiRouter(api.cluster(), GATEWAY)
    monkeypatch.setattr(router, "_data_plane", served := ServesAll())
    monkeypatch.setattr(router._writer, "_data_plane", served)
    added: dict[str, dict[str, Any]] = {
        "httproutes": {"hostnames": ["elsewhere.test"]},
        "backendtrafficpolicies": {"loadBalancer": {"type": "Random"}},
    }

    def keeps(plural: str, stored: dict[str, Any]) -> None:
        stored["spec"] |= added.pop(plural, {})
        stored["status"] = accepted(stored["metadata"]["generation"])

    api.controller = keeps
    await router.apply(TARGET)

    assert added == {} and await router.observe("digits") == TARGET
    await router.close()


async def test_no_answer_of_the_api_server_is_a_silent_router(api: ApiServer) -> None:
    api.is_down = True
    router = GatewayApiRouter(api.cluster(), GATEWAY)

    with pytest.raises(RouterError, match="does not answer"):
        await router.observe("digits")
    with pytest.raises(RouterError, match="does not answer"):
        await router.is_healthy(NEW)
    await router.close()


async def test_a_revision_without_a_ready_endpoint_is_not_healthy(api: ApiServer) -> None:
    labels = {"kubernetes.io/service-name": NEW}
    endpoints = [{"addresses": ["10.0.0.1"], "conditions": {"ready": False}}]
    content = {"metadata": {"name": "slice", "labels": labels}, "endpoints": endpoints}
    api.put("endpointslices", content)
    router = GatewayApiRouter(api.cluster(), GATEWAY)

    assert not await router.is_healthy(NEW)
    await router.close()


async def test_routes_of_which_one_kind_is_forbidden_are_not_half_written(api: ApiServer) -> None:
    api.forbidden_writes = {GRPC_ROUTE.plural}
    router = GatewayApiRouter(api.cluster(), GATEWAY)

    with pytest.raises(RouterError, match='cannot patch resource "grpcroutes"'):
        await router.apply(TARGET)

    assert api.objects == {}
    await router.close()
