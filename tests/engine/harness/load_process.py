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

import grpc
import httpx
from tritonclient.grpc import service_pb2, service_pb2_grpc

from tests.engine.harness.inference import InferenceClient
from tests.engine.harness.releases import SERVICE
from tidegate.files import write_json
from tidegate.spec.release import load_release
from tidegate.traffic.routes import REVISION_HEADER

TIMEOUT_SECONDS = 10.0
EXAMPLES = 16
Outcome = tuple[str, str]
"""Revision and failure, each empty when there is none."""


class Sender:
    """Sends prebuilt requests over one HTTP client and one gRPC channel."""

    def __init__(self, target: str, serving_root: Path, release: str) -> None:
        client = InferenceClient(target, serving_root, load_release(serving_root, SERVICE, release))
        examples = [client.example(number) for number in range(EXAMPLES)]
        self._url = client.url
        self._http_requests = [client.binary_request(each) for each in examples]
        self._grpc_requests = [client.grpc_request(each) for each in examples]
        self._http = httpx.AsyncClient(
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
        )
        options = [("grpc.enable_retries", 0), ("grpc.enable_http_proxy", 0)]
        self._channel = grpc.aio.insecure_channel(target, options=options)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
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
        await self._http.aclose()
        await self._channel.close()

    async def _ask_http(self, example: int) -> Outcome:
        content, headers = self._http_requests[example]
        try:
            response = await self._http.post(self._url, content=content, headers=headers)
        except httpx.HTTPError as error:
            return "", repr(error)
        revision = response.headers.get(REVISION_HEADER, "")
        failed = response.status_code != httpx.codes.OK
        return revision, f"HTTP {response.status_code}: {response.text[:200]}" if failed else ""

    async def _ask_grpc(self, example: int) -> Outcome:
        call = self._stub.ModelInfer(self._grpc_requests[example], timeout=TIMEOUT_SECONDS)
        try:
            answer: service_pb2.ModelInferResponse = await call
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
