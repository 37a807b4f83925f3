"""`tidegate gate judge` on up to ten million samples: seconds, memory, and whether both stay in
proportion; a day at 1000/s when asked for."""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from tests.benchmarks.figure import Measurement

SIZES = (2_500_000, 5_000_000, 10_000_000)
DAY = 86_400_000
RATE = 1000.0
REPEATS = 3
_MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Judged:
    seconds: float
    cpu_seconds: float
    peak_bytes: int


def measure_judge_scale(repeats: int = REPEATS) -> Measurement:
    """Linear: ten million take at most four and a half times what a quarter of them takes."""
    with tempfile.TemporaryDirectory() as folder:
        found = {size: _judged_often(Path(folder), size, repeats) for size in SIZES}
    largest, smallest = found[SIZES[-1]], found[SIZES[0]]
    ratio = largest.cpu_seconds / smallest.cpu_seconds
    return Measurement(
        value=largest.seconds,
        unit="s",
        met=ratio <= 4.5 and largest.peak_bytes < 500 * _MEGABYTE,
        goal="under 500 MB, CPU time at most 4.5 times that of a quarter of the samples",
        reference="10 million samples of two arms, whole command line",
        runs=[judged.seconds for judged in found.values()],
        detail={
            "cpuRatio": round(ratio, 2),
            **{
                str(size): {
                    "seconds": round(judged.seconds, 2),
                    "cpuSeconds": round(judged.cpu_seconds, 2),
                    "peakMegabytes": round(judged.peak_bytes / _MEGABYTE),
                }
                for size, judged in found.items()
            },
        },
    )


def measure_judge_day(repeats: int = 1) -> Measurement:
    """A day at 1000/s under 500 MB; writes a file of 2.3 GB."""
    with tempfile.TemporaryDirectory() as folder:
        judged = _judged_often(Path(folder), DAY, repeats)
    megabytes = judged.peak_bytes / _MEGABYTE
    return Measurement(
        value=megabytes,
        unit="MB",
        met=megabytes < 500,
        goal="under 500 MB",
        reference="86.4 million samples of two arms, whole command line",
        runs=[megabytes],
        detail={"seconds": round(judged.seconds, 1), "cpuSeconds": round(judged.cpu_seconds, 1)},
    )


def _judged_often(folder: Path, size: int, repeats: int) -> Judged:
    """The run with the least wall time; the machine is shared."""
    samples, profile = folder / "samples.npz", folder / "profile.yaml"
    _write_samples(samples, size)
    _write_profile(profile, size / RATE)
    return min((_judge(samples, profile) for _ in range(repeats)), key=lambda run: run.seconds)


def _write_samples(path: Path, size: int) -> None:
    generator = np.random.default_rng(size)
    intended = np.sort(generator.uniform(0.0, size / RATE, size))
    sent = intended + 1e-4
    done = sent + generator.lognormal(np.log(0.005), 0.5, size)
    arm = (generator.random(size) < 0.5).astype(np.int8)
    np.savez(path, intended=intended, sent=sent, done=done, ok=np.ones(size, np.bool_), arm=arm)


def _write_profile(path: Path, seconds: float) -> None:
    content = {
        "name": "scale",
        "description": "as long as the samples",
        "arrival": "poisson",
        "ratePerSecond": RATE,
        "warmUpSeconds": 10,
        "durationSeconds": seconds - 10,
        "slos": {"p50": 50, "p95": 100, "p99": 250},
        "maxErrorRate": 0.001,
        "looksSeconds": [60, 120, 180],
        "seed": 1,
        "maxRequests": 2 * DAY,
        "maxSeconds": 100_000,
    }
    path.write_text(yaml.safe_dump(content))


def _judge(samples: Path, profile: Path) -> Judged:
    command = [str(Path(sys.executable).with_name("tidegate")), "gate", "judge"]
    command += ["--samples", str(samples), "--profile", str(profile)]
    measurer = [sys.executable, str(Path(__file__).with_name("child_usage.py"))]
    found = json.loads(subprocess.check_output([*measurer, *command]))
    if found["exitCode"] != 0:
        raise RuntimeError(f"judge ended with {found['exitCode']}")
    return Judged(found["seconds"], found["cpuSeconds"], found["peakBytes"])
