"""Which protocols a gate covers."""

from tidegate.gate.protocols.base import WireProtocol
from tidegate.gate.protocols.endpoint import Endpoint
from tidegate.gate.protocols.grpc import Grpc, GrpcStream
from tidegate.gate.protocols.http import HttpBinary, HttpJson
from tidegate.gate.samples import ProtocolCode
from tidegate.spec.golden import GoldenData
from tidegate.spec.signature import ModelSignature


def protocols_for(
    http: Endpoint,
    grpc: Endpoint | None,
    signature: ModelSignature,
    golden: GoldenData,
    *,
    streaming: bool = False,
) -> list[WireProtocol]:
    """HTTP binary and JSON, and gRPC when it has an endpoint. The caller closes them.

    Raises SpecError when a key or a certificate cannot be read.
    """
    protocols: list[WireProtocol] = [
        HttpBinary(http, signature, golden),
        HttpJson(http, signature, golden),
    ]
    if grpc is not None:
        protocols.append(Grpc(grpc, signature, golden))
        if streaming:
            protocols.append(GrpcStream(grpc, signature, golden))
    return protocols


def protocol_codes(*, grpc: bool, streaming: bool) -> tuple[ProtocolCode, ...]:
    """The codes of `protocols_for`, in its order."""
    codes = [ProtocolCode.HTTP_BINARY, ProtocolCode.HTTP_JSON]
    if grpc:
        codes.append(ProtocolCode.GRPC)
        if streaming:
            codes.append(ProtocolCode.GRPC_STREAM)
    return tuple(codes)
