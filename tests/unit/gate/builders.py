"""Short profiles, requests and synthetic samples."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.unit.gate.kserve_fake import SIGNATURE, FakeServer, write_golden_set
from tidegate.gate.profile import Profile
from tidegate.gate.request import GateRequest
from tidegate.gate.samples import ErrorKind, Samples
from tidegate.spec.digests import digest_file

SUBJECT_DIGEST = "sha256:" + "a" * 64


def make_profile(**changes: Any) -> Profile:
    """About two seconds at 100/s; the wide SLO keeps a busy machine from deciding."""
    fields: dict[str, Any] = {
        "name": "test",
        "description": "a short one",
        "rate_per_second": 100,
        "duration_seconds": 2,
        "warm_up_seconds": 0.3,
        "deadline_seconds": 3,
        "slos": {"p95": 2000},
        "max_error_rate": 0.05,
        "seed": 1,
    }
    return Profile(**(fields | changes))


def make_short_profile(**changes: Any) -> Profile:
    """As many requests in half the time, for real runs; their generator may be 2 s late."""
    short: dict[str, Any] = {
        "rate_per_second": 200,
        "duration_seconds": 1,
        "warm_up_seconds": 0.15,
        "deadline_seconds": 60,
        "slos": {"p95": 40000},
    }
    return make_profile(**(short | changes))


def make_request(folder: Path, server: FakeServer, **changes: Any) -> GateRequest:
    """A request for a fake server, with everything it needs in `folder`."""
    golden = folder / "golden.npz"
    if not golden.exists():
        write_golden_set(golden)
    fields: dict[str, Any] = {
        "environment": "test",
        "service": "doubler",
        "revision": "doubler-2-0123abcd",
        "release": "2",
        "http_target": server.http_target,
        "grpc_target": server.grpc_target,
        "metrics_target": server.http_target,
        "signature": SIGNATURE,
        "golden_path": str(golden),
        "golden_sha256": digest_file(golden),
        "tolerance": {"absolute": 1e-6, "relative": 1e-6},
        "profile": make_short_profile(),
        "subject_digests": {"release/doubler/2": SUBJECT_DIGEST},
        "evidence_dir": str(folder / "evidence"),
        "lock_path": str(folder / "gate.lock"),
    }
    return GateRequest(**(fields | changes))


def make_samples(
    latency_seconds: float | np.ndarray[Any, np.dtype[np.float64]] = 0.010,
    *,
    requests: int = 3000,
    rate: float = 60.0,
    failed: int = 0,
) -> Samples:
    """Requests at a constant rate; the failed ones are spread evenly."""
    intended = np.arange(requests) / rate
    ok = np.ones(requests, np.bool_)
    if failed:
        ok[np.linspace(0, requests - 1, failed).astype(int)] = False
    kind = np.where(ok, ErrorKind.NONE, ErrorKind.STATUS).astype(np.int8)
    times = Samples.of_times(intended, intended + 0.0002, intended + latency_seconds, ok)
    return replace(times, kind=kind, protocol=np.zeros(requests, np.int8))
