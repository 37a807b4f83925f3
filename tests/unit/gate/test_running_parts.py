"""Pieces of a run: the store of samples, the guard of users' latency, clocks, workers."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tidegate.gate.clock import ClockWatch
from tidegate.gate.rates import baseline_rate
from tidegate.gate.records import ROW, RowReader, Rows, SampleStore
from tidegate.gate.request import Baseline
from tidegate.gate.samples import Samples
from tidegate.gate.user_latency import UserLatencyGuard

pytestmark = pytest.mark.unit


def rows_of(intended: np.ndarray, latency: float = 0.01, *, ok: bool = True) -> Rows:  # type: ignore[type-arg]
    rows = np.zeros(intended.size, ROW)
    rows["intended"], rows["sent"] = intended, intended + 0.001
    rows["done"], rows["ok"], rows["arm"] = intended + latency, ok, 1
    return rows


def test_samples_are_the_same_after_their_way_over_the_disk(tmp_path: Path) -> None:
    store = SampleStore(tmp_path)
    parts = [rows_of(np.arange(start, start + 500.0)) for start in (0, 500)]
    for part in parts:
        store.append(part)
    store.write_npz(tmp_path / "samples.npz", ["a-1", "b-2"])
    store.close()
    samples = Samples.load(tmp_path / "samples.npz")
    assert len(samples) == 1000 and samples.revisions == ("a-1", "b-2")
    whole = np.concatenate(parts)
    for name in ROW.names or ():
        assert np.array_equal(getattr(samples, name), whole[name])


def test_rows_are_read_once_and_only_as_far_as_said(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    rows = rows_of(np.arange(100.0))
    path.write_bytes(rows.tobytes()[:-5])  # the last row is being written
    reader = RowReader(path)
    assert reader.read(0).size == 0
    assert np.array_equal(reader.read(60), rows[:60])
    assert np.array_equal(reader.read(99), rows[60:99])


def test_users_latency_that_stays_ends_nothing() -> None:
    guard = UserLatencyGuard(warm_up_seconds=5)
    generator = np.random.default_rng(1)
    for start in range(60):
        latency = generator.lognormal(-4, 0.5)
        assert guard.add(rows_of(start + np.arange(50) / 50, latency)) is None


def test_a_single_stall_is_no_rise() -> None:
    guard = UserLatencyGuard(warm_up_seconds=5)
    for start in range(40):
        latency = 2.0 if start in (20, 21) else 0.01
        assert guard.add(rows_of(start + np.arange(50) / 50, latency)) is None


def test_users_latency_that_rose_ends_the_load() -> None:
    guard = UserLatencyGuard(warm_up_seconds=5)
    seconds = 0.0
    for start in range(60):
        reason = guard.add(rows_of(start + np.arange(20) / 20, 0.01 if start < 20 else 0.04))
        if reason is not None:
            seconds = start
            break
    assert 20 < seconds < 30
    assert reason is not None and "users' latency rose" in reason


def test_failed_requests_are_slow_requests() -> None:
    guard = UserLatencyGuard(warm_up_seconds=1)
    guard.add(rows_of(np.arange(50) / 50))
    assert guard.add(rows_of(2 + np.arange(200) / 20, ok=False)) is not None


def test_a_stepped_clock_is_noticed_and_drift_is_not() -> None:
    offset = 0.0
    watch = ClockWatch({"wall": lambda: time.perf_counter() * 1.0002 + offset})
    watch.look()
    assert watch.largest_step_seconds < 0.3
    offset = -2.0
    watch.look()
    assert watch.largest_step_seconds == pytest.approx(2.0, abs=0.1 + time.perf_counter() * 0.0002)
    offset = 0.0
    watch.look()
    assert watch.largest_step_seconds > 1.5


def test_a_worker_without_a_runner_ends(tmp_path: Path) -> None:
    # Its standard input is at its end before it was told to go; a request is not needed to see it.
    code = (
        "import sys; from tidegate.gate.worker import _Orders; _Orders().wait_for_go(); sys.exit(9)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, check=False, timeout=20
    )
    assert ended.returncode == 0


@pytest.mark.parametrize(
    ("users", "most", "share", "expected"),
    [
        (None, None, 0.5, 100),
        (0.2, None, 0.1, 100),
        (30, None, 0.5, 30),
        (90, None, 0.1, 10),
        (500, None, 0.5, 100),
        (500, 20, 0.5, 20),
        (None, 20, 0.5, 20),
    ],
)
def test_synthetic_load_on_a_revision_with_users_is_capped(
    users: float | None, most: float | None, share: float, expected: float
) -> None:
    baseline = Baseline(
        revision="a-1",
        why="serves the users",
        http_target="127.0.0.1:8000",
        model_version="1",
        max_rate_per_second=most,
        max_share=share,
    )
    assert baseline_rate(100, baseline, users) == pytest.approx(expected)
