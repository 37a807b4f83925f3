"""From the command line of `tidegate gate run` to a gate request."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tidegate.gate.discovery import discover, record_golden
from tidegate.gate.golden_signature import infer_signature
from tidegate.gate.locking import default_lock_path
from tidegate.gate.profile import Profile, check_baseline
from tidegate.gate.protocols.endpoint import Endpoint
from tidegate.gate.request import ApiKey, Baseline, GateRequest, Tls
from tidegate.spec.digests import digest_file
from tidegate.spec.errors import SpecError
from tidegate.spec.release import Tolerance
from tidegate.spec.signature import ModelSignature


@dataclass(frozen=True, kw_only=True)
class BaselineOptions:
    target: str
    why: str
    grpc_target: str | None = None
    metrics_target: str | None = None
    revision: str | None = None
    model_version: str | None = None
    golden: Path | None = None
    max_rate_per_second: float | None = None


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """As they stand on the command line; None where nothing was said."""

    profile: Profile
    target: str
    out: Path
    tolerance: Tolerance
    golden: Path | None = None
    model: str | None = None
    model_version: str | None = None
    grpc_target: str | None = None
    metrics_target: str | None = None
    evidence: str | None = None
    tls: Tls | None = None
    api_key: ApiKey | None = None
    grpc_streaming: bool = False
    workers: int | None = None
    baseline: BaselineOptions | None = None


def request_of(options: RunOptions) -> GateRequest:
    """Check the options, and ask the server where they leave something open.

    Makes the folder `out`. Raises SpecError.
    """
    if (options.out / "request.json").exists():
        raise SpecError("out", str(options.out), "it holds another run", "a new folder")
    profile = options.profile
    if options.baseline is not None:
        check_baseline(profile)
    secure, target = split_url("target", options.target)
    tls = options.tls or (Tls() if secure else None)
    endpoint = Endpoint(target, tls, options.api_key)
    recorded = options.golden is None
    if options.golden is None:
        signature = discover(endpoint, options.model, options.model_version)
        options.out.mkdir(parents=True, exist_ok=True)
        golden = options.out / "recorded-answers.npz"
        record_golden(endpoint, signature, golden)
    else:
        golden = options.golden
        signature = _signature(endpoint, options, golden)
    digest = digest_file(golden)
    content = {
        "environment": "command-line",
        "service": signature.name,
        "revision": f"{signature.name}-{signature.version}",
        "release": signature.version,
        "http_target": target,
        "grpc_target": options.grpc_target,
        "metrics_target": options.metrics_target,
        "signature": signature,
        "golden_path": str(golden.resolve()),
        "golden_sha256": digest,
        "golden_is_recorded": recorded,
        "tolerance": options.tolerance,
        "profile": profile,
        "subject_digests": {"golden": digest},
        "evidence_dir": options.evidence or str((options.out / "evidence").resolve()),
        "lock_path": str(default_lock_path()),
        "tls": tls,
        "api_key": options.api_key,
        "grpc_streaming": options.grpc_streaming,
        "workers": options.workers,
        "baseline": _baseline(options, signature, tls),
    }
    return GateRequest.parse(content, "request")


def split_url(field: str, url: str) -> tuple[bool, str]:
    """Whether it is https, and "host:port". Raises SpecError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
        raise SpecError(
            field, url, "it is not the root of an HTTP server", "http://host:port or https://…"
        )
    return parts.scheme == "https", parts.netloc


def _signature(endpoint: Endpoint, options: RunOptions, golden: Path) -> ModelSignature:
    model, version = options.model, options.model_version
    if model is None or version is None:
        served = discover(endpoint, model, version)
        model, version = served.name, served.version
    return infer_signature(golden, model, version)


def _baseline(options: RunOptions, signature: ModelSignature, tls: Tls | None) -> Baseline | None:
    chosen = options.baseline
    if chosen is None:
        return None
    secure, target = split_url("baseline", chosen.target)
    if secure != (tls is not None):
        raise SpecError(
            "baseline",
            chosen.target,
            "one arm would pay for TLS and the other not",
            "the same scheme for both targets",
        )
    version = chosen.model_version
    if version is None:
        endpoint = Endpoint(target, tls, options.api_key)
        version = discover(endpoint, signature.name, None).version
    return Baseline.parse(
        {
            "revision": chosen.revision or f"{signature.name}-{version}",
            "why": chosen.why,
            "http_target": target,
            "grpc_target": chosen.grpc_target,
            "metrics_target": chosen.metrics_target,
            "model_version": version,
            "golden_path": None if chosen.golden is None else str(chosen.golden.resolve()),
            "golden_sha256": None if chosen.golden is None else digest_file(chosen.golden),
            "max_rate_per_second": chosen.max_rate_per_second,
        },
        "baseline",
    )
