"""Which protocols a gate request covers."""

from tidegate.gate.protocols.base import WireProtocol
from tidegate.gate.protocols.grpc import Grpc
from tidegate.gate.protocols.http import HttpBinary, HttpJson
from tidegate.spec.golden import GoldenData
from tidegate.spec.signature import ModelSignature


def protocols_for(
    http_target: str, grpc_target: str | None, signature: ModelSignature, golden: GoldenData
) -> list[WireProtocol]:
    """HTTP binary and JSON, and gRPC when it has a target. The caller closes them."""
    protocols: list[WireProtocol] = [
        HttpBinary(http_target, signature, golden),
        HttpJson(http_target, signature, golden),
    ]
    if grpc_target is not None:
        protocols.append(Grpc(grpc_target, signature, golden))
    return protocols
