"""A small KServe v2 server with faults on request, over HTTP and gRPC on loopback.

The model doubles its input `x` (FP32 [-1, 4]) into `y` and answers the largest position as
`label` (INT64 [-1]).
"""

import asyncio
import contextlib
import json
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import grpc
import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2, service_pb2_grpc

from tidegate.spec.golden import GoldenData, save_golden
from tidegate.spec.signature import ModelSignature, TensorSpec

Fault = Literal[
    "none", "wrongValue", "emptyTensor", "notANumber", "hang", "slow", "status500", "otherVersion"
]
Tensors = dict[str, NDArray[Any]]

SIGNATURE = ModelSignature(
    name="doubler",
    version="2",
    inputs=(TensorSpec(name="x", datatype="FP32", shape=(-1, 4)),),
    outputs=(
        TensorSpec(name="label", datatype="INT64", shape=(-1,)),
        TensorSpec(name="y", datatype="FP32", shape=(-1, 4)),
    ),
)
EXAMPLES = 4


def double(x: NDArray[Any]) -> Tensors:
    return {"label": np.argmax(x, axis=1).astype(np.int64), "y": (2 * x).astype(np.float32)}


def write_golden_set(path: Path) -> None:
    x = np.random.default_rng(7).uniform(0.0, 1.0, (EXAMPLES, 4)).astype(np.float32)
    outputs = double(x)
    save_golden(path, GoldenData(inputs={"x": x}, outputs=outputs, truth=outputs["label"]))


@dataclass
class FakeServer:
    """`fault` begins after `healthy_requests`; `counted_twice` makes the metrics lie.

    `api_key` is asked for in x-api-key; `certificate` (key and chain, PEM files) turns TLS on;
    `chunked` answers HTTP without a length, in pieces.
    """

    version: str = "2"
    api_key: str = ""
    certificate: tuple[Path, Path] | None = None
    chunked: bool = False
    fault: Fault = "none"
    healthy_requests: int = 0
    slow_seconds: float = 1.2
    counted_twice: bool = False
    requests: int = 0
    success: int = 0
    http_target: str = ""
    grpc_target: str = ""

    async def infer(self, x: NDArray[Any]) -> tuple[str, Tensors]:
        """Version and outputs. Raises RuntimeError for the fault status500."""
        self.requests += 1
        fault = self.fault if self.requests > self.healthy_requests else "none"
        if fault == "hang":
            await asyncio.sleep(3600)
        if fault == "slow":
            await asyncio.sleep(self.slow_seconds)
        if fault == "status500":
            raise RuntimeError("the model is broken")
        self.success += 2 if self.counted_twice else 1
        outputs = double(x)
        if fault == "wrongValue":
            outputs["y"] = outputs["y"] + 1
        if fault == "notANumber":
            outputs["y"] = outputs["y"] * np.float32("nan")
        if fault == "emptyTensor":
            outputs = {name: array[:0] for name, array in outputs.items()}
        return ("1" if fault == "otherVersion" else self.version), outputs

    async def answer_http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                method, path = head[0].split()[:2]
                if self.api_key and headers.get("x-api-key") != self.api_key:
                    writer.write(_http(401, b"who are you"))
                elif method == "GET" and path != "/metrics":
                    writer.write(self._metadata(path))
                else:
                    answer = await self._respond(path, headers, body)
                    writer.write(_in_chunks(answer) if self.chunked else answer)
                await writer.drain()
        writer.close()

    def _metadata(self, path: str) -> bytes:
        if path != "/v2/models/doubler":
            return _http(404, b"there is no such model")
        described = {
            "name": SIGNATURE.name,
            "versions": [self.version],
            "inputs": [tensor.model_dump(exclude_none=True) for tensor in SIGNATURE.inputs],
            "outputs": [tensor.model_dump(exclude_none=True) for tensor in SIGNATURE.outputs],
        }
        return _http(200, json.dumps(described).encode())

    async def _respond(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        if path == "/metrics":
            labels = f'{{model="doubler",version="{self.version}"}}'
            return _http(200, f"nv_inference_request_success{labels} {self.success}\n".encode())
        assert headers["accept-encoding"] == "identity"
        binary = "inference-header-content-length" in headers
        split = int(headers.get("inference-header-content-length", len(body)))
        request = json.loads(body[:split])
        tensor = request["inputs"][0]
        data = np.frombuffer(body[split:], np.float32) if binary else tensor["data"]
        try:
            version, outputs = await self.infer(
                np.asarray(data, np.float32).reshape(tensor["shape"])
            )
        except RuntimeError as error:
            return _http(500, json.dumps({"error": str(error)}).encode())
        return _http_answer(version, outputs, binary=binary)


class _GrpcService(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    def __init__(self, server: FakeServer) -> None:
        self._server = server

    async def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        await self._let_in(context)
        if request.name != "doubler":
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such model")
        answer = service_pb2.ModelMetadataResponse(name="doubler", versions=[self._server.version])
        for tensors, described in (
            (answer.inputs, SIGNATURE.inputs),
            (answer.outputs, SIGNATURE.outputs),
        ):
            for each in described:
                tensors.add(name=each.name, datatype=each.datatype, shape=each.shape)
        return answer

    async def ModelStreamInfer(self, requests: Any, context: Any) -> Any:  # noqa: N802
        async for request in requests:
            answer = await self.ModelInfer(request, context)
            yield service_pb2.ModelStreamInferResponse(infer_response=answer)

    async def _let_in(self, context: Any) -> None:
        key = dict(context.invocation_metadata()).get("x-api-key", "")
        if self._server.api_key and key != self._server.api_key:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you")

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        await self._let_in(context)
        x = np.frombuffer(request.raw_input_contents[0], np.float32)
        try:
            version, outputs = await self._server.infer(x.reshape(request.inputs[0].shape))
        except RuntimeError as error:
            await context.abort(grpc.StatusCode.INTERNAL, str(error))
        answer = service_pb2.ModelInferResponse(model_name="doubler", model_version=version)
        for name, array in outputs.items():
            tensor = answer.outputs.add()
            tensor.name, tensor.datatype = name, _datatype(name)
            tensor.shape.extend(array.shape)
            answer.raw_output_contents.append(array.tobytes())
        return answer


def _datatype(name: str) -> str:
    return next(tensor.datatype for tensor in SIGNATURE.outputs if tensor.name == name)


def _http_answer(version: str, outputs: Tensors, *, binary: bool) -> bytes:
    described: list[dict[str, Any]] = []
    for name, array in outputs.items():
        tensor: dict[str, Any] = {
            "name": name,
            "datatype": _datatype(name),
            "shape": list(array.shape),
        }
        if binary:
            tensor["parameters"] = {"binary_data_size": array.nbytes}
        else:
            tensor["data"] = array.ravel().tolist()
        described.append(tensor)
    head = json.dumps(
        {"model_name": "doubler", "model_version": version, "outputs": described}
    ).encode()
    if not binary:
        return _http(200, head)
    tail = b"".join(array.tobytes() for array in outputs.values())
    return _http(200, head + tail, f"Inference-Header-Content-Length: {len(head)}\r\n")


def _http(status: int, body: bytes, headers: str = "") -> bytes:
    return f"HTTP/1.1 {status} -\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _in_chunks(answer: bytes) -> bytes:
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
    pieces = [body[at : at + 50] for at in range(0, len(body), 50)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", chunks + b"0\r\n\r\n"])


@contextlib.contextmanager
def serving(server: FakeServer) -> Iterator[FakeServer]:
    """Run `server` on free loopback ports in a thread of its own."""
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def main() -> None:
        async with _listening(server):
            ready.set()
            await stop.wait()

    def serve() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(main())

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert ready.wait(10)
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)


@contextlib.asynccontextmanager
async def _listening(server: FakeServer) -> AsyncIterator[None]:
    tls = None
    if server.certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(server.certificate[1], server.certificate[0])
    http_server = await asyncio.start_server(server.answer_http, "127.0.0.1", 0, ssl=tls)
    grpc_server = grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(_GrpcService(server), grpc_server)
    if server.certificate is None:
        grpc_port = grpc_server.add_insecure_port("127.0.0.1:0")
    else:
        pair = (server.certificate[0].read_bytes(), server.certificate[1].read_bytes())
        credentials = grpc.ssl_server_credentials([pair])
        grpc_port = grpc_server.add_secure_port("127.0.0.1:0", credentials)
    server.grpc_target = f"127.0.0.1:{grpc_port}"
    server.http_target = f"127.0.0.1:{http_server.sockets[0].getsockname()[1]}"
    await grpc_server.start()
    try:
        yield
    finally:
        await grpc_server.stop(None)
        http_server.close()
