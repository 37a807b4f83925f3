"""What a submitter asks of the gate's runner: RUN_DIR/request.json."""

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field

from tidegate.gate.document import Document
from tidegate.gate.profile import Profile
from tidegate.spec.digests import Digest
from tidegate.spec.errors import SpecError
from tidegate.spec.release import Tolerance
from tidegate.spec.signature import ModelSignature


def split_target(target: str) -> tuple[str, int]:
    """ "127.0.0.1:8000" → ("127.0.0.1", 8000). Raises SpecError."""
    host, separator, port = target.rpartition(":")
    if not separator or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise SpecError("target", target, "it is not host:port", "127.0.0.1:8000")
    return host.strip("[]"), int(port)


def _loopback(target: str) -> str:
    host, _ = split_target(target)
    if host != "localhost":
        try:
            allowed = ipaddress.ip_address(host).is_loopback
        except ValueError:
            allowed = False
        if not allowed:
            raise SpecError(
                "target", target, "load goes to this machine only", "an address on 127.0.0.1"
            )
    return target


Target = Annotated[str, AfterValidator(_loopback)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]


class GateRequest(Document):
    """One gate: what to test, how, and where the evidence goes.

    Targets are "host:port" on loopback. Without `grpc_target` only HTTP is tested; without
    `metrics_target` the server's own count is not compared and the validity is partial.
    `watched_files` maps absolute paths to digests that must hold before and after the load.
    """

    environment: Name
    service: Name
    revision: Name
    release: str
    http_target: Target
    grpc_target: Target | None = None
    metrics_target: Target | None = None
    signature: ModelSignature
    golden_path: str
    golden_sha256: Digest
    tolerance: Tolerance
    profile: Profile
    subject_digests: dict[str, Digest] = Field(min_length=1)
    watched_files: dict[str, Digest] = Field(default_factory=dict)
    evidence_dir: str
    lock_path: str
    lease_seconds: float | None = Field(default=None, gt=0)
    retry_reason: str | None = None
