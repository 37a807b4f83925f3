"""`python -m tests.engine.harness.load_process TARGET SERVING_ROOT RELEASE RATE RESULT`.

Sends every second request over HTTP and every other over gRPC until SIGTERM, then waits for the
answers that are still out and writes one row per request to RESULT. No retries anywhere.
"""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import grpc
from tritonclient.grpc import service_pb2

from tests.engine.harness.http_pool import HttpPool
from tests.engine.harness.inference import InferenceClient
from tests.engine.harness.releases import SERVICE
from tests.engine.harness.upstream import SERVICE as INFERENCE
from tests.engine.harness.upstream import raw
from tidegate.files import write_json
from tidegate.spec.release import load_release
from tidegate.traffic.routes import REVISION_HEADER

TIMEOUT_SECONDS = 60.0
"""Twice the gateway's own: whether an answer is late is not for a busy sender to say."""
EXAMPLES = 16
Outcome = tuple[str, str]
"""Revision and failure, each empty when there is none."""


class Sender:
    """Sends prebuilt bytes: what this costs is taken from the servers, which share the machine."""

    def __init__(self, target: str, serving_root: Path, release: str) -> None:
        client = InferenceClient(target, serving_root, load_release(serving_root, SERVICE, release))
        examples = [client.example(number) for number in range(EXAMPLES)]
        self._http = HttpPool(target)
        path = urlsplit(client.url).path
        self._http_requests = [
            self._http.request(path, *client.binary_request(each)) for each in examples
        ]
        self._grpc_requests = [client.grpc_request(each).SerializeToString() for each in examples]
        options = [("grpc.enable_retries", 0), ("grpc.enable_http_proxy", 0)]
        self._channel = grpc.aio.insecure_channel(target, options=options)
        self._infer = self._channel.unary_unary(f"/{INFERENCE}/ModelInfer", raw, raw)
        self.rows: list[tuple[float, float, str, str, str]] = []

    async def send(self, number: int) -> None:
        protocol = "http" if number % 2 else "grpc"
        sent_at = time.monotonic()
        ask = self._ask_http if number % 2 else self._ask_grpc
        revision, failure = await ask(number // 2 % EXAMPLES)
        if not failure and not revision:
            failure = f"answer without {REVISION_HEADER}"
        self.rows.append((sent_at, time.monotonic(), protocol, revision, failure))

    async def close(self) -> None:
        self._http.close()
        await self._channel.close()

    async def _ask_http(self, example: int) -> Outcome:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                answer = await self._http.ask(self._http_requests[example])
        except (OSError, EOFError, ValueError) as error:
            return "", repr(error)
        revision = answer.headers.get(REVISION_HEADER, "")
        return (
            revision,
            f"HTTP {answer.status}: {answer.body[:200]!r}" if answer.status != 200 else "",
        )

    async def _ask_grpc(self, example: int) -> Outcome:
        call = self._infer(self._grpc_requests[example], timeout=TIMEOUT_SECONDS)
        try:
            answer = service_pb2.ModelInferResponse.FromString(await call)
        except grpc.aio.AioRpcError as error:
            return "", f"gRPC {error.code().name}: {error.details()}"
        metadata = dict(await call.initial_metadata())
        return str(metadata.get(REVISION_HEADER, "")), "" if answer.outputs else "no outputs"


async def run(target: str, serving_root: Path, release: str, rate: float, result: Path) -> None:
    """Send until SIGTERM, or until the process that started this one has gone."""
    parent = os.getppid()
    sender = Sender(target, serving_root, release)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    tasks = [asyncio.create_task(sender.send(number)) for number in (0, 1)]
    await asyncio.gather(*tasks)
    result.with_suffix(".ready").touch()
    begin, number = time.monotonic(), len(tasks)
    while not stop.is_set() and os.getppid() == parent:
        due = begin + number / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        tasks.append(asyncio.create_task(sender.send(number)))
        number += 1
    await asyncio.gather(*tasks)
    await sender.close()
    write_json(result, sender.rows)


if __name__ == "__main__":
    target_, serving_root_, release_, rate_, result_ = sys.argv[1:]
    asyncio.run(run(target_, Path(serving_root_), release_, float(rate_), Path(result_)))
