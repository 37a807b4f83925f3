"""KServe v2 over gRPC, unary and streaming: tritonclient's messages on raw HTTP/2 connections.

tritonclient's own InferenceServerClient builds and checks each message anew and grpcio costs
several times the CPU of the bytes; the generated message types are all that is needed of them.
"""

from gevent import Timeout
from gevent.event import AsyncResult
from google.protobuf.message import DecodeError
from tritonclient.grpc import service_pb2

from tidegate.gate.protocols.base import (
    Answer,
    Connection,
    RequestError,
)
from tidegate.gate.protocols.endpoint import Endpoint
from tidegate.gate.protocols.grpc_calls import PREFIX_BYTES, Calls, framed
from tidegate.gate.protocols.tensors import OutputDecoder, example_inputs, raw_bytes
from tidegate.gate.protocols.waiting import WaitingConnection
from tidegate.gate.samples import ErrorKind, ProtocolCode
from tidegate.spec.golden import GoldenData
from tidegate.spec.signature import ModelSignature


class _InferCalls(Calls):
    def __init__(
        self,
        endpoint: Endpoint,
        signature: ModelSignature,
        golden: GoldenData,
        *,
        method: str,
        streaming: bool,
    ) -> None:
        self._decoder = OutputDecoder(signature)
        requests = [_request(signature, golden, example) for example in range(golden.count)]
        super().__init__(endpoint, method, requests, streaming=streaming)

    def connect(self) -> Connection:
        return WaitingConnection(self.lane)

    def close(self) -> None:
        """Nothing is shared between connections."""

    def answer(self, message: bytes, revision: str | None) -> Answer:
        """Raises RequestError."""
        try:
            response = self._parse(message)
            if len(response.raw_output_contents) != len(response.outputs):
                raise RequestError(
                    ErrorKind.MALFORMED,
                    f"{len(response.outputs)} outputs, "
                    f"{len(response.raw_output_contents)} contents",
                )
            outputs = {
                tensor.name: self._decoder.from_bytes(tensor.datatype, tuple(tensor.shape), content)
                for tensor, content in zip(
                    response.outputs, response.raw_output_contents, strict=True
                )
            }
        except DecodeError as error:
            raise RequestError(
                ErrorKind.MALFORMED, f"answer is not KServe v2: {type(error).__name__} {error}"
            ) from None
        return Answer(response.model_name, response.model_version, outputs, revision)

    def _parse(self, message: bytes) -> service_pb2.ModelInferResponse:
        return service_pb2.ModelInferResponse.FromString(message)


class Grpc(_InferCalls):
    """Unary ModelInfer calls."""

    code = ProtocolCode.GRPC

    def __init__(self, endpoint: Endpoint, signature: ModelSignature, golden: GoldenData) -> None:
        super().__init__(endpoint, signature, golden, method="ModelInfer", streaming=False)


class GrpcStream(_InferCalls):
    """ModelStreamInfer: one long stream a connection, an answer awaited for each request on it."""

    code = ProtocolCode.GRPC_STREAM

    def __init__(self, endpoint: Endpoint, signature: ModelSignature, golden: GoldenData) -> None:
        super().__init__(endpoint, signature, golden, method="ModelStreamInfer", streaming=True)

    def _parse(self, message: bytes) -> service_pb2.ModelInferResponse:
        response = service_pb2.ModelStreamInferResponse.FromString(message)
        if response.error_message:
            raise RequestError(ErrorKind.STATUS, f"gRPC stream: {response.error_message}")
        return response.infer_response


def ask_for_metadata(
    endpoint: Endpoint, model: str, timeout_seconds: float
) -> service_pb2.ModelMetadataResponse:
    """What the server says about a model. Raises RequestError."""
    request = service_pb2.ModelMetadataRequest(name=model).SerializeToString()
    result: AsyncResult = AsyncResult()
    lane = Calls(endpoint, "ModelMetadata", [framed(request)]).lane(
        lambda _token, received: result.set(received),
        lambda _token, error: result.set_exception(error),
    )
    lane.send(0, 0)
    try:
        _, body = result.get(timeout=timeout_seconds).identity
        return service_pb2.ModelMetadataResponse.FromString(body[PREFIX_BYTES:])
    except Timeout:
        raise RequestError(ErrorKind.DEADLINE, f"no answer within {timeout_seconds:g} s") from None
    except DecodeError as error:
        raise RequestError(ErrorKind.MALFORMED, f"no model metadata: {error}") from None
    finally:
        lane.close()


def _request(signature: ModelSignature, golden: GoldenData, example: int) -> bytes:
    message = service_pb2.ModelInferRequest(model_name=signature.name)
    for tensor, array in example_inputs(golden, signature, example):
        entry = message.inputs.add()
        entry.name, entry.datatype = tensor.name, tensor.datatype
        entry.shape.extend(array.shape)
        message.raw_input_contents.append(raw_bytes(array))
    for tensor in signature.outputs:
        message.outputs.add().name = tensor.name
    content: bytes = message.SerializeToString()
    return framed(content)
