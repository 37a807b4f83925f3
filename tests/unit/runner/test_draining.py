"""A drain that belongs to no switch."""

import asyncio

import pytest

from tests.unit.cluster.api_server import ApiServer
from tests.unit.cluster.examples import GATEWAY
from tests.unit.runner.stand_ins import RunnersRouter, environment_of
from tests.unit.traffic.conducting import OLD
from tidegate.records.drains import DrainRecords, DrainRequest, DrainRun
from tidegate.runner import draining
from tidegate.runner.draining import carry_out_drain
from tidegate.traffic.router import NoDataPlaneError, RouterError
from tidegate.traffic.switch_documents import DrainRecord

pytestmark = pytest.mark.unit


class DrainedRouter(RunnersRouter):
    """Raises these errors before it answers; the API server takes no writes until the last one."""

    def __init__(self, api: ApiServer, errors: list[RouterError]) -> None:
        super().__init__()
        self._api = api
        self._errors = errors

    async def active_requests(self, revision: str) -> int:
        self._api.forbidden_writes = {"configmaps"} if len(self._errors) > 1 else set()
        if self._errors:
            raise self._errors.pop()
        return await super().active_requests(revision)


@pytest.fixture
def api() -> ApiServer:
    return ApiServer()


@pytest.fixture
async def run(api: ApiServer) -> DrainRun:
    request = DrainRequest(service="digits", revision=OLD, drain_seconds=20, gateway=GATEWAY)
    return await DrainRecords(api.cluster()).submit(request)


async def carry_out(
    api: ApiServer, run: DrainRun, router: DrainedRouter, monkeypatch: pytest.MonkeyPatch
) -> DrainRecord:
    monkeypatch.setattr(draining, "GatewayApiRouter", lambda *_: router)
    async with asyncio.timeout(20):
        await carry_out_drain(api.cluster(), environment_of(run.name))
    found = await DrainRecords(api.cluster()).run(run.name)
    assert found is not None and found.outcome is not None
    return found.outcome


async def test_a_silence_is_waited_out(
    api: ApiServer, run: DrainRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = DrainedRouter(api, [RouterError("envoy-2 does not answer")] * 5)

    outcome = await carry_out(api, run, router, monkeypatch)

    assert outcome.open_requests == {} and outcome.seconds >= 0.5
    assert router.released == ["digits"]


async def test_without_a_running_envoy_there_is_nothing_to_wait_for(
    api: ApiServer, run: DrainRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = DrainedRouter(api, [NoDataPlaneError("no Envoy runs")])

    outcome = await carry_out(api, run, router, monkeypatch)

    assert (outcome.open_requests, outcome.seconds) == ({}, 0.0)
    assert router.released == []
