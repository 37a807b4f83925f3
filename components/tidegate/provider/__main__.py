"""The plugin's process: serves one engine and ends with it."""

import asyncio
import os
import signal
import sys

import grpc
from pulumi.runtime.proto import engine_pb2_grpc
from pulumi.runtime.proto.provider_pb2_grpc import add_ResourceProviderServicer_to_server

from tidegate.provider.configuration import ProviderConfiguration
from tidegate.provider.place import moved
from tidegate.provider.resources import make_handlers
from tidegate.provider.server import Provider

MESSAGE_LIMIT_BYTES = 400 * 1024 * 1024  # the engine's own limit
PARENT_POLL_SECONDS = 1.0
GRACE_SECONDS = 2.0


def main() -> None:
    """Entry point of the `pulumi-resource-tidegate` program."""
    arguments = [each for each in sys.argv[1:] if not each.startswith("-")]
    if not arguments:
        sys.exit(
            "pulumi-resource-tidegate is a Pulumi plugin; the Pulumi engine starts it. "
            "Run `pulumi up` in a project that declares it instead."
        )
    asyncio.run(serve(arguments[0]))


async def serve(engine_address: str) -> None:
    """Serve until the engine asks for the end or is gone."""
    parent = os.getppid()
    options = [
        ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
        ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
    ]
    async with grpc.aio.insecure_channel(engine_address, options=options) as channel:
        server = grpc.aio.server(options=options)
        provider = Provider(
            make_handlers, ProviderConfiguration, engine_pb2_grpc.EngineStub(channel), moved
        )
        add_ResourceProviderServicer_to_server(provider, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()

        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)

        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()

        # A killed engine sends nothing: notice that the parent is another process now.
        while not stop.is_set() and os.getppid() == parent:
            try:
                await asyncio.wait_for(stop.wait(), PARENT_POLL_SECONDS)
            except TimeoutError:
                continue
        await server.stop(GRACE_SECONDS)


if __name__ == "__main__":
    main()
