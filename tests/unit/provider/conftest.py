import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, provider_pb2_grpc

from tests.unit.provider.stand_ins import StackOnStandIns
from tests.unit.provider.widget import WidgetConfiguration, WidgetHandler
from tidegate.local.state_folder import StateFolder
from tidegate.provider.server import Provider
from tidegate.provider.values import encode
from tidegate.spec.errors import SpecError


class EngineLog(engine_pb2_grpc.EngineServicer):
    """Writes down what a plugin reports."""

    def __init__(self) -> None:
        self.lines: list[engine_pb2.LogRequest] = []
        self.first = asyncio.Event()

    async def Log(self, request: engine_pb2.LogRequest, context: Any) -> empty_pb2.Empty:  # noqa: N802
        self.lines.append(request)
        self.first.set()
        return empty_pb2.Empty()


class Plugin:
    """A served provider with one resource type, seen as the engine sees it."""

    stub: Any

    def __init__(self, log: EngineLog) -> None:
        self.log = log
        self.handlers: list[WidgetHandler] = []
        self.move: SpecError | None = None

    def make_handlers(self, configuration: WidgetConfiguration | None) -> list[WidgetHandler]:
        self.handlers.append(WidgetHandler(configuration))
        return [self.handlers[-1]]

    async def moved(self, olds: Any, news: Any) -> SpecError | None:
        return self.move

    @property
    def widget(self) -> WidgetHandler:
        """The handler in use."""
        return self.handlers[-1]

    async def configure(self, **values: Any) -> None:
        arguments = encode(values or {"folder": "/widgets"})
        await self.stub.Configure(provider_pb2.ConfigureRequest(args=arguments))

    async def failure(self, method: str, request: Any) -> grpc.aio.AioRpcError:
        """The error that the call ends with."""
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await getattr(self.stub, method)(request)
        return raised.value


@asynccontextmanager
async def _serving(add: Any, servicer: Any) -> AsyncIterator[grpc.aio.Channel]:
    server = grpc.aio.server()
    add(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


@pytest.fixture
async def unconfigured() -> AsyncIterator[Plugin]:
    log = EngineLog()
    async with _serving(engine_pb2_grpc.add_EngineServicer_to_server, log) as engine:
        plugin = Plugin(log)
        provider = Provider(
            plugin.make_handlers,
            WidgetConfiguration,
            engine_pb2_grpc.EngineStub(engine),
            plugin.moved,
        )
        add = provider_pb2_grpc.add_ResourceProviderServicer_to_server
        async with _serving(add, provider) as channel:
            plugin.stub = provider_pb2_grpc.ResourceProviderStub(channel)
            yield plugin


@pytest.fixture
async def plugin(unconfigured: Plugin) -> Plugin:
    await unconfigured.configure()
    return unconfigured


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[StackOnStandIns]:
    stack = StackOnStandIns(StateFolder(tmp_path / "state"))
    yield stack
    stack.end()
