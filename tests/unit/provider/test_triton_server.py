import socket
from pathlib import Path
from typing import Any

import pytest

from tests.unit.provider.stand_ins import Said, StackOnStandIns
from tidegate.local import slots, triton
from tidegate.local.supervision import Program
from tidegate.provider.errors import CancelledOperation, PartialFailure, ProviderError
from tidegate.provider.handler import Diff
from tidegate.provider.resources.triton_server import (
    TritonServerHandler,
    TritonServerInputs,
    TritonServerOutputs,
)
from tidegate.spec.release import load_release
from tidegate.traffic.routes import ServiceRoutes

pytestmark = pytest.mark.unit

SERVING = Path(__file__).parents[3] / "serving"
REVISION = "digits-2-bbbbbbbb"


def inputs(**changes: Any) -> TritonServerInputs:
    fields: dict[str, Any] = {
        "revision": REVISION,
        "service": "digits",
        "release": "2",
        "serving_root": str(SERVING),
        "release_digest": load_release(SERVING, "digits", "2").digest,
        "ready_timeout_seconds": 10,
        "health_interval_seconds": 1,
    }
    return TritonServerInputs(**(fields | changes))


@pytest.fixture
async def handler(stack: StackOnStandIns) -> TritonServerHandler:
    await stack.start_gateway(REVISION)
    return TritonServerHandler(stack)


async def create(handler: TritonServerHandler, **changes: Any) -> TritonServerOutputs:
    return (await handler.create(Said().operation, inputs(**changes))).outputs


async def diff(handler: TritonServerHandler, outputs: TritonServerOutputs, **changes: Any) -> Diff:
    return await handler.diff(REVISION, outputs, inputs(), inputs(**changes))


async def test_a_server_that_runs_as_recorded_is_no_difference(
    stack: StackOnStandIns, handler: TritonServerHandler
) -> None:
    outputs = await create(handler)

    assert outputs.http_target.startswith("127.0.0.1:")
    assert await handler.read(REVISION, inputs()) == outputs
    assert await diff(handler, outputs) == Diff()
    assert (stack.slots.repository(REVISION) / "digits" / "2" / "model.onnx").exists()
    assert [each.revision for each in stack.gateway.discovery.servers()] == [REVISION]


async def test_a_second_create_adopts_the_server(
    stack: StackOnStandIns, handler: TritonServerHandler
) -> None:
    first = await create(handler)

    assert await create(handler) == first
    assert stack.supervisor.started.count(REVISION) == 1


async def test_another_revision_is_another_server(handler: TritonServerHandler) -> None:
    outputs = await create(handler)

    assert (await diff(handler, outputs, revision="digits-3-cccccccc")).replace == ("revision",)


@pytest.mark.parametrize("loss", ["process", "readiness", "cluster", "record"])
async def test_a_server_that_does_not_serve_is_a_difference(
    stack: StackOnStandIns, handler: TritonServerHandler, loss: str
) -> None:
    outputs = await create(handler)
    match loss:
        case "process":
            stack.supervisor.stop(REVISION)
        case "readiness":
            stack.triton.ready = False
        case "cluster":
            stack.gateway.discovery.remove_server(REVISION)
        case "record":
            (stack.folder.slot(REVISION) / "slot.json").unlink()

    assert await diff(handler, outputs) == Diff(changed=("httpTarget",))


async def test_another_place_than_the_recorded_one_is_a_difference(
    handler: TritonServerHandler,
) -> None:
    outputs = await create(handler)
    recorded = outputs.model_copy(update={"http_target": "127.0.0.1:1"})

    assert await diff(handler, recorded) == Diff(changed=("httpTarget",))


async def test_a_server_that_is_never_ready_is_kept_and_reported_as_a_part_done(
    stack: StackOnStandIns, handler: TritonServerHandler
) -> None:
    stack.triton.ready = False

    with pytest.raises(PartialFailure) as raised:
        await create(handler, ready_timeout_seconds=0.2)

    assert raised.value.resource_id == REVISION
    assert "not ready after 0.2 s" in raised.value.reasons[0]
    assert set(raised.value.outputs) == {"httpTarget", "grpcTarget", "metricsTarget"}
    assert stack.slots.record(REVISION) is not None


async def test_a_server_that_ends_at_once_leaves_nothing_and_shows_its_log(
    stack: StackOnStandIns, handler: TritonServerHandler
) -> None:
    stack.triton.ready = False
    stack.supervisor.ended = {REVISION}
    stack.folder.logs.mkdir(parents=True)
    stack.folder.log(REVISION).write_text("no such model\n")

    with pytest.raises(ProviderError, match="ended before its models were ready") as raised:
        await create(handler)

    assert "no such model" in str(raised.value)
    assert stack.slots.records() == []
    assert stack.gateway.discovery.servers() == []
    assert REVISION not in stack.supervisor.programs


async def test_a_server_that_loses_its_port_while_it_starts_gets_others(
    stack: StackOnStandIns, handler: TritonServerHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = stack.supervisor.start

    def lose_a_port_at_first(program: Program) -> None:
        start(program)
        first = stack.supervisor.started.count(REVISION) == 1
        stack.triton.ready = not first
        stack.supervisor.ended = {REVISION} if first else set()
        if first:
            record = stack.slots.record(REVISION)
            assert record is not None
            lost.append(socket.create_server(("127.0.0.1", record.grpc_port)))

    lost: list[socket.socket] = []
    monkeypatch.setattr(stack.supervisor, "start", lose_a_port_at_first)
    said = Said()

    outputs = (await handler.create(said.operation, inputs())).outputs

    with lost[0] as other:
        assert outputs.grpc_target != f"127.0.0.1:{other.getsockname()[1]}"
    assert "another process has its port; choosing others" in said.status
    assert await diff(handler, outputs) == Diff()


async def test_a_server_that_the_gateway_does_not_find_healthy_leaves_nothing(
    stack: StackOnStandIns, handler: TritonServerHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "GATEWAY_HEALTH_SECONDS", 0.2)
    stack.envoy.unhealthy = {REVISION}

    with pytest.raises(ProviderError, match="gateway did not find"):
        await create(handler)

    assert stack.slots.records() == []


async def test_a_manifest_changed_since_the_preview_is_refused(
    handler: TritonServerHandler,
) -> None:
    with pytest.raises(ProviderError, match="the manifest changed while it was being deployed"):
        await create(handler, release_digest="sha256:" + "0" * 64)


async def test_a_release_for_another_server_is_refused(
    handler: TritonServerHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triton, "server_digest", lambda: "sha256:other")

    with pytest.raises(ProviderError, match="installed is nvidia-pytriton"):
        await create(handler)


async def test_giving_up_does_not_take_away_what_serves(
    stack: StackOnStandIns, handler: TritonServerHandler
) -> None:
    """`up` is cancelled while it waits for a live server that is being restarted."""
    outputs = await create(handler)
    routes = ServiceRoutes("digits", ("digits",), {REVISION: 100}, 30)
    stack.gateway.discovery.put_service(routes)
    stack.triton.ready = False
    said = Said()
    said.operation.cancelled.set()

    with pytest.raises(CancelledOperation):
        await handler.update(said.operation, REVISION, outputs, inputs(), inputs())

    assert REVISION in stack.supervisor.programs
    assert [each.revision for each in stack.gateway.discovery.servers()] == [REVISION]


async def test_giving_up_on_a_new_server_leaves_nothing(
    stack: StackOnStandIns, handler: TritonServerHandler
) -> None:
    stack.triton.ready = False
    said = Said()
    said.operation.cancelled.set()

    with pytest.raises(CancelledOperation):
        await handler.create(said.operation, inputs())

    assert stack.slots.records() == []
    assert REVISION not in stack.supervisor.programs


async def test_deletion_is_refused_while_traffic_goes_to_it(
    stack: StackOnStandIns, handler: TritonServerHandler
) -> None:
    outputs = await create(handler)
    routes = ServiceRoutes("digits", ("digits",), {REVISION: 100}, 30)
    stack.gateway.discovery.put_service(routes)

    with pytest.raises(ProviderError, match="takes 100% of the traffic of digits"):
        await handler.delete(Said().operation, REVISION, outputs)

    assert REVISION in stack.supervisor.programs


async def test_deletion_leaves_nothing_and_may_be_repeated(
    stack: StackOnStandIns, handler: TritonServerHandler
) -> None:
    outputs = await create(handler)

    for _ in range(2):
        await handler.delete(Said().operation, REVISION, outputs)

    assert await handler.read(REVISION, inputs()) is None
    assert not stack.folder.slot(REVISION).exists()
    assert stack.gateway.discovery.servers() == []
    assert REVISION not in stack.supervisor.programs
