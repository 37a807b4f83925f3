"""The process that the engine starts as `pulumi-resource-aws`, `-gcp` or `-kubernetes`.

Arguments: package, folder of the cloud, folder for what was found out about SDKs, and the engine's.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

import grpc
from pulumi.runtime.proto.provider_pb2_grpc import add_ResourceProviderServicer_to_server

from tests.cloud.harness.cloud_store import CloudStore
from tests.cloud.harness.sdk_shapes import Sdk
from tests.cloud.harness.servicer import RecordingProvider
from tests.cloud.harness.surroundings import surroundings_of

MESSAGE_LIMIT_BYTES = 400 * 1024 * 1024  # the engine's own limit
PARENT_POLL_SECONDS = 0.5


async def serve(package: str, store: Path, cache: Path) -> None:
    """Serve until the engine asks for the end, or is gone."""
    parent = os.getppid()
    options = [
        ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
        ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
    ]
    server = grpc.aio.server(options=options)
    provider = RecordingProvider(Sdk(package, cache), CloudStore(store), surroundings_of(package))
    add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    while not stop.is_set() and os.getppid() == parent:
        try:
            await asyncio.wait_for(stop.wait(), PARENT_POLL_SECONDS)
        except TimeoutError:
            continue
    await server.stop(None)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
