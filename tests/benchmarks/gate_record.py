"""`python -m tests.benchmarks.gate_record NAME [--seconds S]`: record two servers of one release.

Both serve digits@2 and get 100 requests/s each in the same minutes; what is kept of the samples
becomes recordings/NAME.npz, which the gate's rates of error are measured on.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from tests.benchmarks.gate_recordings import RECORDINGS, shrink
from tests.benchmarks.gate_triton import BenchTriton
from tests.benchmarks.stacks import temporary_folder
from tests.engine.harness.toolchain_environment import REPOSITORY

_SERVICE, _RELEASE = "digits", "2"
_WARM_UP_SECONDS = 10.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--seconds", type=float, default=900.0)
    arguments = parser.parse_args()
    with temporary_folder() as folder:
        servers = [_server(folder / arm) for arm in ("candidate", "baseline")]
        try:
            _run_gate(folder, servers, arguments.seconds)
        finally:
            for server in servers:
                server.stop()
        RECORDINGS.mkdir(exist_ok=True)
        path = RECORDINGS / f"{arguments.name}.npz"
        shrink(folder / "run" / "samples.npz", path, _WARM_UP_SECONDS)
    print(path)
    return 0


def _server(folder: Path) -> BenchTriton:
    models = REPOSITORY / "serving" / "models" / _SERVICE / _RELEASE
    shutil.copytree(models, folder / "repository")
    return BenchTriton(folder, [])


def _run_gate(folder: Path, servers: list[BenchTriton], seconds: float) -> None:
    profile = folder / "profile.yaml"
    profile.write_text(yaml.safe_dump(_profile(seconds)))
    golden = REPOSITORY / "serving" / "golden" / _SERVICE / f"{_RELEASE}.npz"
    candidate, baseline = servers
    command = [str(Path(sys.executable).with_name("tidegate")), "gate", "run"]
    command += ["--profile", str(profile), "--out", str(folder / "run")]
    command += ["--target", f"http://{candidate.http_target}", "--golden", str(golden)]
    command += ["--metrics-target", candidate.metrics_target]
    command += ["--model", _SERVICE, "--model-version", _RELEASE]
    command += ["--baseline", f"http://{baseline.http_target}", "--baseline-golden", str(golden)]
    command += ["--baseline-version", _RELEASE]
    code = subprocess.run(command, check=False).returncode
    if code > 2:
        raise RuntimeError(f"the gate ended with {code}")


def _profile(seconds: float) -> dict[str, object]:
    return {
        "name": "recording",
        "description": "two servers of one release",
        "arrival": "poisson",
        "ratePerSecond": 100,
        "durationSeconds": seconds,
        "warmUpSeconds": _WARM_UP_SECONDS,
        "slos": {"p99": 1000},
        "maxErrorRate": 0.01,
        "comparisonMargins": {},
        "seed": 20261122,
        "maxRequests": 1_000_000,
    }


if __name__ == "__main__":
    sys.exit(main())
