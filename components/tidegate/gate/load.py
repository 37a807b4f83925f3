"""Runs the workers of one load and looks at what they settle while they run."""

import json
import shutil
import time
from collections.abc import Callable, Sequence

import numpy as np

from tidegate.gate.checking import Revisions
from tidegate.gate.clock import ClockWatch
from tidegate.gate.context import WorkerCounts
from tidegate.gate.early_stop import hopeless
from tidegate.gate.errors import AbandonedError
from tidegate.gate.load_request import LoadRequest, LoadResult
from tidegate.gate.looks import bounds_so_far, judge_look
from tidegate.gate.progress import OnProgress, Phase, Progress
from tidegate.gate.records import ROW, Rows, SampleStore, samples_of
from tidegate.gate.samples import BASELINE_ARM, CANDIDATE_ARM
from tidegate.gate.schedule import planned_requests
from tidegate.gate.tally import Tally
from tidegate.gate.user_latency import UserLatencyGuard
from tidegate.gate.verdict import ConditionBounds, Outcome
from tidegate.gate.worker_messages import WorkerPlan, WorkerReport
from tidegate.gate.worker_process import WorkerProcess

_TICK_SECONDS = 0.25
_BOUNDS_SECONDS = 5.0
_READY_SECONDS = 60.0
_START_DELAY_SECONDS = 0.3
_DRAIN_SECONDS = 5.0
_RECENT = 5000


def run_load(
    load: LoadRequest, on_progress: OnProgress, should_stop: Callable[[], bool]
) -> LoadResult:
    """Send the whole schedule, or what of it is still of use.

    The load ends early when it cannot end in a PASS any more, when a look fails, when it slows
    down the baseline's users, and when a worker is lost. Raises AbandonedError when `should_stop`
    says so.
    """
    folder = load.run_dir / "load"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    plan = WorkerPlan(
        workers=load.workers, rate_factors=dict(load.rate_factors), agreeing=load.agreeing
    )
    plan.write(folder / "plan.json")
    store = SampleStore(folder)
    revisions = Revisions()
    workers = [WorkerProcess(load.run_dir, number, revisions) for number in range(load.workers)]
    note = {"workers": [worker.pid for worker in workers]}
    (folder / "pids.json").write_text(json.dumps(note), encoding="utf-8")
    try:
        return _Conductor(load, workers, store, revisions).conduct(on_progress, should_stop)
    finally:
        for worker in workers:
            worker.end()
        store.close()
        shutil.rmtree(folder, ignore_errors=True)


class _Conductor:
    def __init__(
        self,
        load: LoadRequest,
        workers: Sequence[WorkerProcess],
        store: SampleStore,
        revisions: Revisions,
    ) -> None:
        self._load, self._workers, self._store = load, workers, store
        self._revisions = revisions
        self._profile = load.profile
        self._plans = [arm.plan(load.rate_factors[arm.code]) for arm in load.arms]
        self._planned = planned_requests(
            load.profile, self._plans, load.arms[CANDIDATE_ARM].golden.count
        )
        self._tally = Tally(load.profile)
        self._guard = UserLatencyGuard(load.profile.warm_up_seconds)
        self._looks = list(load.profile.looks_seconds)
        self._recent: Rows = np.empty(0, ROW)
        self._bounds: tuple[ConditionBounds, ...] = ()
        self._bounds_at = 0.0
        self._stopped_early: str | None = None
        self._aborted: str | None = None
        self._clock = ClockWatch()
        self._origin = 0.0

    def conduct(self, on_progress: OnProgress, should_stop: Callable[[], bool]) -> LoadResult:
        self._wait_until_ready(should_stop)
        self._origin = time.perf_counter() + _START_DELAY_SECONDS
        for worker in self._workers:
            worker.order(f"go {self._origin!r}")
        stopping = False
        give_up = float("inf")
        while not all(worker.has_finished or worker.is_lost for worker in self._workers):
            if should_stop():
                raise AbandonedError
            time.sleep(_TICK_SECONDS)
            self._take()
            self._decide()
            self._clock.look()
            self._load.watch()
            on_progress(self._progress())
            if not stopping and self._must_stop():
                stopping = True
                for worker in self._workers:
                    worker.order("stop")
            if give_up == float("inf") and (stopping or self._elapsed() > self._total()):
                give_up = self._elapsed() + self._profile.deadline_seconds + _DRAIN_SECONDS
            if self._elapsed() > give_up:
                break  # a worker that hangs counts as lost
        self._take()
        reports = [worker.report for worker in self._workers if worker.report is not None]
        for worker in self._workers:
            worker.remove_rows()
        self._store.write_npz(self._load.run_dir / "samples.npz", self._revisions.names)
        return self._result(reports)

    def _wait_until_ready(self, should_stop: Callable[[], bool]) -> None:
        give_up = time.monotonic() + _READY_SECONDS
        while not all(worker.is_ready or worker.is_lost for worker in self._workers):
            if should_stop():
                raise AbandonedError
            if time.monotonic() > give_up:
                return
            time.sleep(0.02)
            for worker in self._workers:
                worker.poll()

    def _take(self) -> None:
        """Move settled rows, in order, to the store and the tally."""
        for worker in self._workers:
            worker.poll()
        settled = min(worker.settled_seconds for worker in self._workers)
        rows = np.concatenate([worker.take_before(settled) for worker in self._workers])
        if not rows.size:
            return
        # Rows by column: sorting whole rows would compare every field.
        rows = rows[np.argsort(rows["intended"], kind="stable")]
        if not self._store.rows:
            self._tally = Tally(self._profile, origin=float(rows["intended"][0]))
        self._store.append(rows)
        self._tally.add(samples_of(rows, self._revisions.names))
        candidate = rows[rows["arm"] == CANDIDATE_ARM]
        self._recent = np.concatenate((self._recent, candidate))[-_RECENT:]
        baseline = rows[rows["arm"] == BASELINE_ARM]
        if baseline.size and self._aborted is None:
            self._aborted = self._guard.add(baseline)

    def _decide(self) -> None:
        if not self._store.rows or self._stopped_early is not None:
            return
        settled = min(worker.settled_seconds for worker in self._workers)
        while self._looks and settled >= self._tally.judged_from + self._looks[0]:
            seconds = self._looks.pop(0)
            look = judge_look(self._tally, self._profile, seconds, self._load.confidence)
            if look.outcome is Outcome.FAIL:
                self._stopped_early = look.reason
                return
        self._stopped_early = hopeless(self._tally, self._profile)

    def _must_stop(self) -> bool:
        lost = any(worker.is_lost for worker in self._workers)
        return lost or self._stopped_early is not None or self._aborted is not None

    def _elapsed(self) -> float:
        return time.perf_counter() - self._origin

    def _total(self) -> float:
        return self._profile.total_seconds

    def _progress(self) -> Progress:
        elapsed, reports = self._elapsed(), [worker.report for worker in self._workers]
        phase: Phase = "drain" if elapsed > self._total() or self._must_stop() else "load"
        if elapsed < self._profile.warm_up_seconds:
            phase = "warmUp"
        if phase == "load" and elapsed > self._bounds_at + _BOUNDS_SECONDS:
            self._bounds_at = elapsed
            self._bounds = bounds_so_far(self._tally, self._profile, self._load.confidence)
        return Progress(
            phase=phase,
            seconds_left=max(0.0, self._total() - elapsed),
            sent=sum(report.sent for report in reports if report),
            done=sum(report.done for report in reports if report),
            errors=sum(report.errors for report in reports if report),
            p95_milliseconds=_p95_milliseconds(self._recent),
            total_seconds=self._total(),
            planned=self._planned,
            bounds=self._bounds,
        )

    def _result(self, reports: Sequence[WorkerReport]) -> LoadResult:
        wall = self._elapsed()
        finished = sum(worker.has_finished for worker in self._workers)
        ended_early = self._stopped_early is not None or self._aborted is not None
        first_errors: dict[str, str] = {}
        for report in reports:
            for kind, words in report.first_errors.get(CANDIDATE_ARM, {}).items():
                first_errors.setdefault(kind, words)
        whole = finished == len(self._workers)
        return LoadResult(
            tally=self._tally,
            planned=self._store.rows if ended_early and whole else self._planned,
            first_errors=first_errors,
            stopped_early=self._stopped_early,
            aborted=self._aborted,
            workers=WorkerCounts(len(self._workers), finished),
            cpu_seconds=sum(report.cpu_seconds for report in reports),
            cpu_shares=tuple(report.cpu_seconds / wall for report in reports),
            wall_seconds=wall,
            clock_steps_seconds=max(0.0, self._clock.largest_step_seconds),
        )


def _p95_milliseconds(rows: Rows) -> float | None:
    """Failed requests count as slower than any other."""
    if not rows.size:
        return None
    latency = np.where(rows["ok"], rows["done"] - rows["intended"], np.inf)
    return float(np.quantile(latency, 0.95, method="inverted_cdf")) * 1000.0
