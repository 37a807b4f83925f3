"""What a submitter asks of the gate's runner: RUN_DIR/request.json."""

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from tidegate.gate.document import Document
from tidegate.gate.profile import Profile
from tidegate.spec.digests import Digest
from tidegate.spec.errors import SpecError
from tidegate.spec.release import Tolerance
from tidegate.spec.signature import ModelSignature

TargetNetwork = Literal["loopback", "cluster"]
_SERVICE_NAME = re.compile(r"[a-z0-9-]+\.[a-z0-9-]+\.svc(\.[a-z0-9.-]+)?")


def split_target(target: str) -> tuple[str, int]:
    """ "127.0.0.1:8000" → ("127.0.0.1", 8000). Raises SpecError."""
    host, separator, port = target.rpartition(":")
    if not separator or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise SpecError("target", target, "it is not host:port", "127.0.0.1:8000")
    return host.strip("[]"), int(port)


def _shaped(target: str) -> str:
    split_target(target)
    return target


def check_target(target: str, network: TargetNetwork) -> None:
    """Raise SpecError for a target that no load may go to."""
    host, _ = split_target(target)
    address = _address(host)
    if network == "loopback":
        if host != "localhost" and (address is None or not address.is_loopback):
            raise SpecError(
                "target", target, "load goes to this machine only", "an address on 127.0.0.1"
            )
    elif not (not address.is_global if address is not None else _SERVICE_NAME.fullmatch(host)):
        raise SpecError(
            "target",
            target,
            "load goes to the cluster's own servers only",
            "the name of a Service such as digits-2-4f1c9a7e.team-a.svc:8000, or a private address",
        )


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


Target = Annotated[str, AfterValidator(_shaped)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]


class Tls(Document):
    """TLS to the HTTP and gRPC targets; the certificate must name `server_name` or the host."""

    ca_file: str | None = None
    """PEM; None means the certificate authorities of the system."""
    certificate_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None


class ApiKey(Document):
    """A header sent with every request. The secret itself is never part of a document: it is read
    from an environment variable of the runner or from a file when the run begins."""

    header: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")] = "authorization"
    prefix: str = ""
    """Stands before the secret, such as "Bearer "."""
    environment_variable: str | None = None
    file: str | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.environment_variable is None) == (self.file is None):
            raise SpecError(
                "apiKey",
                {"environmentVariable": self.environment_variable, "file": self.file},
                "the key has one source",
                "environmentVariable: NAME, or file: PATH",
            )
        return self

    def read(self) -> str:
        """The header's value. Raises SpecError without showing any of it."""
        if self.environment_variable is not None:
            secret = os.environ.get(self.environment_variable, "")
            source = f"environment variable {self.environment_variable}"
        else:
            source = str(self.file)
            try:
                secret = Path(source).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                secret = ""
        if not secret or not (self.prefix + secret).isprintable() or not secret.isascii():
            raise SpecError(
                "apiKey", source, "it holds no key that fits into a header", "one line of ASCII"
            )
        return self.prefix + secret


class Baseline(Document):
    """The revision to compare with, in the same minutes; `why` says why this one.

    It is asked for the candidate's golden examples. With `golden_path` its own golden set (of the
    same inputs) says what is right for it; without, its answers are checked for names, shapes,
    datatypes, NaN and version only. `max_rate_per_second` and `max_share` cap the synthetic load on
    a revision that serves users: share is synthetic/(synthetic + users') by its own counters.
    """

    revision: Name
    why: str = Field(min_length=3)
    http_target: Target
    grpc_target: Target | None = None
    metrics_target: Target | None = None
    model_version: str = Field(pattern=r"^[1-9][0-9]*$")
    golden_path: str | None = None
    golden_sha256: Digest | None = None
    tolerance: Tolerance | None = None
    max_rate_per_second: float | None = Field(default=None, gt=0)
    max_share: float = Field(default=0.5, gt=0, lt=1)


class GateRequest(Document):
    """One gate: what to test, how, and where the evidence goes.

    Targets are "host:port", on loopback unless `targets` allows the servers of a cluster. Without
    `grpc_target` only HTTP is tested; without `metrics_target` the server's own count is not
    compared and the validity is partial.
    `watched_files` maps absolute paths to digests that must hold before and after the load.
    `workers` is the number of generator processes; None chooses by the rate.
    """

    environment: Name
    service: Name
    revision: Name
    release: str
    targets: TargetNetwork = "loopback"
    http_target: Target
    grpc_target: Target | None = None
    metrics_target: Target | None = None
    signature: ModelSignature
    golden_path: str
    golden_sha256: Digest
    golden_is_recorded: bool = False
    """The golden set holds the server's own first answers: they can change, but not be wrong."""
    tolerance: Tolerance
    profile: Profile
    subject_digests: dict[str, Digest] = Field(min_length=1)
    watched_files: dict[str, Digest] = Field(default_factory=dict)
    evidence_dir: str
    lock_path: str
    lease_seconds: float | None = Field(default=None, gt=0)
    baseline: Baseline | None = None
    tls: Tls | None = None
    api_key: ApiKey | None = None
    grpc_streaming: bool = False
    workers: int | None = Field(default=None, ge=1, le=64)
    retry_reason: str | None = None

    @model_validator(mode="after")
    def _load_stays_where_it_may_go(self) -> Self:
        arms = (self, self.baseline) if self.baseline is not None else (self,)
        for arm in arms:
            for target in (arm.http_target, arm.grpc_target, arm.metrics_target):
                if target is not None:
                    check_target(target, self.targets)
        return self
