"""A gate of a bench model on a real Triton, and the closed loops it is measured beside."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks.gate_triton import BenchModel, BenchTriton
from tidegate.gate.profile import Profile
from tidegate.gate.request import GateRequest
from tidegate.spec.digests import digest_file


def gate_request(
    folder: Path, server: BenchTriton, model: BenchModel, profile: dict[str, Any], **changes: Any
) -> GateRequest:
    """A request for a bench model over HTTP binary, JSON and gRPC."""
    golden = folder / "golden.npz"
    if not golden.exists():
        model.write_golden(golden, 16 if model.size < 1000 else 4)
    defaults = {
        "name": "bench",
        "description": "of a benchmark",
        "slos": {"p95": 1900},
        "max_error_rate": 0.05,
        "seed": 20261122,
        "max_requests": 10_000_000,
    }
    fields: dict[str, Any] = {
        "environment": "bench",
        "service": model.name,
        "revision": f"{model.name}-{model.version}",
        "release": model.version,
        "http_target": server.http_target,
        "grpc_target": server.grpc_target,
        "metrics_target": server.metrics_target,
        "signature": model.signature,
        "golden_path": str(golden),
        "golden_sha256": digest_file(golden),
        "tolerance": {"absolute": 1e-6, "relative": 1e-6},
        "profile": Profile.parse(defaults | profile, "profile"),
        "subject_digests": {"golden": digest_file(golden)},
        "evidence_dir": str(folder / "evidence"),
        "lock_path": str(folder / "gate.lock"),
    }
    return GateRequest.parse(fields | changes, "request")


def start_gate(run_dir: Path, request: GateRequest, **popen: Any) -> "subprocess.Popen[bytes]":
    run_dir.mkdir(parents=True, exist_ok=True)
    request.write(run_dir / "request.json")
    command = [sys.executable, "-m", "tidegate.gate.runner", str(run_dir)]
    with (run_dir / "runner.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, **popen)


def start_closed_loop(
    kind: str,
    protocol: str,
    target: str,
    golden: Path,
    model: BenchModel,
    connections: int,
    **popen: Any,
) -> "subprocess.Popen[bytes]":
    """See gate_closed_loop for the kinds."""
    arguments = [kind, protocol, target, str(golden), model.version, str(connections)]
    command = [sys.executable, "-m", "tests.benchmarks.gate_closed_loop", *arguments]
    return subprocess.Popen(command, **popen)
