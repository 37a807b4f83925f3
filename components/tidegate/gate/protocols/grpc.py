"""KServe v2 over gRPC: prebuilt messages on one channel, with tritonclient's message types.

tritonclient's own InferenceServerClient builds and checks each message anew, three times the CPU
per request; its generated message types are all that is needed here.
"""

from collections.abc import Callable

import grpc
import grpc.experimental.gevent
from tritonclient.grpc import service_pb2

from tidegate.gate.protocols.base import Answer, Connection, RequestError
from tidegate.gate.protocols.tensors import OutputDecoder, example_inputs, raw_bytes
from tidegate.gate.samples import ErrorKind, ProtocolCode
from tidegate.spec.golden import GoldenData
from tidegate.spec.signature import ModelSignature

Infer = Callable[..., service_pb2.ModelInferResponse]

_METHOD = "/inference.GRPCInferenceService/ModelInfer"
_OPTIONS = [
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]
_KINDS = {
    grpc.StatusCode.DEADLINE_EXCEEDED: ErrorKind.DEADLINE,
    grpc.StatusCode.UNAVAILABLE: ErrorKind.CONNECTION,
}


class Grpc:
    """Unary ModelInfer calls; the channel is shared, HTTP/2 carries them side by side."""

    code = ProtocolCode.GRPC

    def __init__(self, target: str, signature: ModelSignature, golden: GoldenData) -> None:
        # Without it a waiting call blocks every greenlet of the process.
        grpc.experimental.gevent.init_gevent()
        self._decoder = OutputDecoder(signature)
        self._requests = [_request(signature, golden, example) for example in range(golden.count)]
        self._channel = grpc.insecure_channel(target, options=_OPTIONS)
        self._call: Infer = self._channel.unary_unary(
            _METHOD,
            request_serializer=None,
            response_deserializer=service_pb2.ModelInferResponse.FromString,
        )

    def connect(self) -> Connection:
        return _GrpcCalls(self._call, self._requests, self._decoder)

    def close(self) -> None:
        # An open channel keeps a gevent process from ending.
        self._channel.close()


class _GrpcCalls:
    def __init__(
        self,
        call: Infer,
        requests: list[bytes],
        decoder: OutputDecoder,
    ) -> None:
        self._call = call
        self._requests = requests
        self._decoder = decoder

    def infer(self, example: int, timeout_seconds: float) -> Answer:
        try:
            response = self._call(self._requests[example], timeout=timeout_seconds)
        except grpc.RpcError as error:
            status = error.code()
            raise RequestError(
                _KINDS.get(status, ErrorKind.STATUS), f"gRPC {status.name}: {error.details()}"
            ) from None
        return self._read_answer(response)

    def close(self) -> None:
        """The channel belongs to all; a failed call does not harm it."""

    def _read_answer(self, response: service_pb2.ModelInferResponse) -> Answer:
        if len(response.raw_output_contents) != len(response.outputs):
            raise RequestError(
                ErrorKind.MALFORMED,
                f"{len(response.outputs)} outputs, {len(response.raw_output_contents)} contents",
            )
        return Answer(
            model_name=response.model_name,
            model_version=response.model_version,
            outputs={
                tensor.name: self._decoder.from_bytes(tensor.datatype, tuple(tensor.shape), content)
                for tensor, content in zip(
                    response.outputs, response.raw_output_contents, strict=True
                )
            },
        )


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
    return content
