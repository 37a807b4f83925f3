import pytest

from tests.unit.cluster.api_server import ApiServer
from tests.unit.provider.kubernetes.runners import GATEWAY, Runners
from tests.unit.provider.stand_ins import Said
from tidegate.cluster.kinds import CONFIG_MAP, ENDPOINT_SLICE, JOB, LEASE, Kind
from tidegate.provider.errors import ProviderError
from tidegate.provider.kubernetes import TrafficHoldHandler
from tidegate.provider.kubernetes.access import ClusterAccess
from tidegate.provider.shared.hold_inputs import TrafficHoldInputs, TrafficHoldOutputs
from tidegate.records.drains import DrainRecords, DrainRequest
from tidegate.records.switches import SwitchRecords
from tidegate.traffic.gateway_api.objects import OWNED
from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.switch_documents import DrainRecord

pytestmark = pytest.mark.unit

HELD = "digits-1-aaaaaaaa"
OTHER = "digits-2-bbbbbbbb"
OUTPUTS = TrafficHoldOutputs(drain_limit_seconds=1, service="digits")


@pytest.fixture
def handler(access: ClusterAccess) -> TrafficHoldHandler:
    return TrafficHoldHandler(access)


def route(runners: Runners, **weights: int) -> None:
    named = {HELD: weights.get("held"), OTHER: weights.get("other")}
    given = {revision: weight for revision, weight in named.items() if weight is not None}
    runners.route(ServiceRoutes("digits", ("digits",), given, 30, hostnames=("a.example",)))


def serve(api: ApiServer) -> None:
    """The held revision has a server that can be asked."""
    meta = {"name": f"{HELD}-x", "labels": {"kubernetes.io/service-name": HELD}}
    api.put(ENDPOINT_SLICE.plural, {"metadata": meta, "endpoints": [{"addresses": ["10.0.0.1"]}]})


async def test_its_state_says_what_a_deletion_will_apply(handler: TrafficHoldHandler) -> None:
    inputs = TrafficHoldInputs(service="digits", revision=HELD, drain_seconds=1)

    created = await handler.create(Said().operation, inputs)

    assert (created.id, created.outputs) == (HELD, OUTPUTS)
    assert await handler.read(HELD, inputs) == OUTPUTS


@pytest.mark.parametrize("weight", [100, 0])
async def test_it_stays_while_a_route_mentions_it(
    api: ApiServer, runners: Runners, handler: TrafficHoldHandler, weight: int
) -> None:
    serve(api)
    route(runners, held=weight, other=100 - weight)

    with pytest.raises(ProviderError, match=f"routes of digits mention it with {weight}%"):
        await handler.delete(Said().operation, HELD, OUTPUTS)
    assert runners.jobs() == []


async def test_it_is_drained_by_a_job_that_leaves_nothing(
    api: ApiServer, runners: Runners, handler: TrafficHoldHandler
) -> None:
    serve(api)
    route(runners, other=100)
    said = Said()

    await handler.delete(said.operation, HELD, OUTPUTS)

    assert runners.drains == [HELD]
    (warning,) = said.warnings
    assert f"{HELD} still has requests open after 0.5 s (grpc 2)" in warning
    assert [api.names(kind.plural) for kind in (CONFIG_MAP, LEASE, JOB)] == [[], [], []]


async def test_a_drain_that_a_killed_update_left_says_nothing_of_today(
    access: ClusterAccess, api: ApiServer, runners: Runners, handler: TrafficHoldHandler
) -> None:
    serve(api)
    records = DrainRecords(access.cluster())
    left = DrainRequest(service="digits", revision=HELD, drain_seconds=1, gateway=GATEWAY)
    run = await records.submit(left)
    await records.end(run.name, DrainRecord(revision=HELD, seconds=0.1, open_requests={}))

    await handler.delete(Said().operation, HELD, OUTPUTS)

    assert runners.drains == [HELD]
    assert api.names(CONFIG_MAP.plural) == []


async def test_without_a_server_nothing_can_be_in_flight(
    runners: Runners, handler: TrafficHoldHandler
) -> None:
    route(runners, other=100)

    await handler.delete(Said().operation, HELD, OUTPUTS)

    assert runners.drains == []


async def test_without_a_server_the_drain_that_a_killed_update_left_goes_too(
    access: ClusterAccess, api: ApiServer, handler: TrafficHoldHandler
) -> None:
    left = DrainRequest(service="digits", revision=HELD, drain_seconds=1, gateway=GATEWAY)
    await DrainRecords(access.cluster()).submit(left)

    await handler.delete(Said().operation, HELD, OUTPUTS)

    assert [api.names(kind.plural) for kind in (CONFIG_MAP, LEASE, JOB)] == [[], [], []]


async def test_a_drain_that_cannot_be_watched_holds_nothing_up(
    api: ApiServer, runners: Runners, handler: TrafficHoldHandler
) -> None:
    serve(api)
    runners.drains_fail = True
    said = Said()

    await handler.delete(said.operation, HELD, OUTPUTS)

    assert f"the drain of {HELD} was not seen" in said.warnings[0]


@pytest.mark.parametrize("kind", [JOB, CONFIG_MAP])
async def test_a_drain_that_a_quota_refuses_holds_nothing_up(
    api: ApiServer, runners: Runners, handler: TrafficHoldHandler, kind: Kind
) -> None:
    serve(api)
    api.used_up = {kind.plural}
    said = Said()

    await handler.delete(said.operation, HELD, OUTPUTS)

    (warning,) = said.warnings
    assert f"the drain of {HELD} was not seen: {kind.name} team-a/" in warning
    assert "exceeded quota" in warning
    assert [api.names(each.plural) for each in (CONFIG_MAP, LEASE, JOB)] == [[], [], []]


async def test_a_revision_that_goes_comes_back_as_a_new_one(
    access: ClusterAccess, handler: TrafficHoldHandler
) -> None:
    records = SwitchRecords(access.cluster())
    await records.note_served("digits", HELD)

    await handler.delete(Said().operation, HELD, OUTPUTS)

    assert not await records.has_served("digits", HELD)


async def test_without_the_kinds_of_routes_nothing_can_lead_to_it(
    api: ApiServer, runners: Runners, handler: TrafficHoldHandler
) -> None:
    api.unknown_plurals = {kind.plural for kind in OWNED}

    await handler.delete(Said().operation, HELD, OUTPUTS)

    assert runners.drains == []
