"""The open-loop load generator, on Locust.

One Locust user walks the schedule and never waits for an answer: each request runs in a greenlet
of its own, so a slow server meets the same arrivals as a fast one. Locust's rounded statistics
are not used; every request is kept as a raw sample.

Importing this module imports Locust, which monkey-patches the process: only the gate's runner
process may do that.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import gevent
import numpy as np
from gevent.event import Event
from gevent.pool import Group
from locust import User, task
from locust.env import Environment
from locust.exception import StopUser

from tidegate.gate.answers import AnswerChecker
from tidegate.gate.progress import OnProgress, Phase, Progress
from tidegate.gate.protocols.base import Connection, RequestError, WireProtocol
from tidegate.gate.samples import ErrorKind, Samples
from tidegate.gate.schedule import Schedule
from tidegate.gate.statistics import quantile_estimate

_TICK_SECONDS = 0.5
_START_DELAY_SECONDS = 0.2
_DRAIN_GRACE_SECONDS = 1.0
_SPIN_SECONDS = 0.001
"""gevent's timers fire about 0.9 ms late; the last millisecond is spent yielding instead."""
_SPIN_CORE_SHARE = 0.1
_PROGRESS_WINDOW = 5000

StopEarly = Callable[[Samples], str | None]


class AbandonedError(Exception):
    """Whoever asked for the run no longer wants it; there is no verdict."""


@dataclass(frozen=True)
class LoadPlan:
    """What to send. `warm_up_seconds` only names the phase in progress reports."""

    schedule: Schedule
    protocols: tuple[WireProtocol, ...]
    checker: AnswerChecker
    deadline_seconds: float
    warm_up_seconds: float
    rate_per_second: float


@dataclass(frozen=True)
class LoadResult:
    """Samples with times in seconds from the start of the schedule.

    `stopped_early` is the reason given by the caller's rule; the samples then hold the requests
    that were due until then. `cpu_seconds` is the whole process's.
    """

    samples: Samples
    first_errors: dict[str, str]
    stopped_early: str | None
    cpu_seconds: float
    wall_seconds: float


def generate(
    plan: LoadPlan,
    on_progress: OnProgress,
    should_stop: Callable[[], bool],
    stop_early: StopEarly,
) -> LoadResult:
    """Send the whole schedule and wait for every answer or its deadline.

    `stop_early` sees the samples so far about twice a second and may end the load with a reason.
    Raises AbandonedError when `should_stop` says so.
    """
    walk = _Walk(plan)

    class ScheduleUser(User):
        @task
        def walk_schedule(self) -> None:
            walk.send_all()
            raise StopUser

    environment = Environment(user_classes=[ScheduleUser])
    runner = environment.create_local_runner()
    cpu_started, wall_started = time.process_time(), time.monotonic()
    runner.start(user_count=1, spawn_rate=1)
    reason: str | None = None
    try:
        while not walk.finished.wait(_TICK_SECONDS):
            if should_stop():
                raise AbandonedError
            on_progress(walk.progress())
            reason = reason or stop_early(walk.samples_so_far())
            if reason is not None:
                walk.stop_sending()
    finally:
        runner.quit()
        walk.close()
    return LoadResult(
        samples=walk.samples_so_far(),
        first_errors=walk.first_errors,
        stopped_early=reason,
        cpu_seconds=time.process_time() - cpu_started,
        wall_seconds=time.monotonic() - wall_started,
    )


class _Walk:
    """One pass over a schedule."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._samples = Samples.unsent(plan.schedule.due, plan.schedule.protocol)
        self._protocols = {protocol.code: protocol for protocol in plan.protocols}
        self._free: dict[int, list[Connection]] = {code: [] for code in self._protocols}
        self._in_flight = Group()
        self._origin = time.perf_counter() + _START_DELAY_SECONDS
        self._due_count = 0
        self._stop = False
        self.finished = Event()
        self.first_errors: dict[str, str] = {}

    def send_all(self) -> None:
        """Start each request when it is due, then drain."""
        spin = min(_SPIN_SECONDS, _SPIN_CORE_SHARE / self._plan.rate_per_second)
        self._origin = time.perf_counter() + _START_DELAY_SECONDS
        try:
            for index, due in enumerate(self._plan.schedule.due.tolist()):
                self._wait_until(due, spin)
                if self._stop:
                    break
                self._due_count = index + 1
                self._in_flight.add(gevent.spawn(self._send, index))
            self._in_flight.join(self._plan.deadline_seconds + _DRAIN_GRACE_SECONDS)
        finally:
            self.finished.set()

    def stop_sending(self) -> None:
        """Nothing more is started; what is in flight is still awaited."""
        self._stop = True

    def samples_so_far(self) -> Samples:
        """Requests that were due, without copying; rows in flight are UNFINISHED."""
        return self._samples.where(slice(0, self._due_count))

    def progress(self) -> Progress:
        now = time.perf_counter() - self._origin
        total = float(self._plan.schedule.due[-1])
        phase: Phase = "drain" if now > total or self._stop else "load"
        if now < self._plan.warm_up_seconds:
            phase = "warmUp"
        seen = self.samples_so_far()
        ended = seen.where(seen.kind != ErrorKind.UNFINISHED)
        recent = ended.where(slice(-_PROGRESS_WINDOW, None))
        return Progress(
            phase=phase,
            seconds_left=max(0.0, total - now),
            sent=int(np.count_nonzero(~np.isnan(seen.sent))),
            done=int(np.count_nonzero(~np.isnan(seen.done))),
            errors=int(np.count_nonzero(~ended.ok)),
            p95_milliseconds=quantile_estimate(recent.latency, 0.95) * 1000.0
            if len(ended)
            else None,
        )

    def close(self) -> None:
        """End what is still in flight and close every connection."""
        self._in_flight.kill(timeout=_DRAIN_GRACE_SECONDS)
        for connections in self._free.values():
            for connection in connections:
                connection.close()

    def _wait_until(self, due: float, spin_seconds: float) -> None:
        left = self._origin + due - time.perf_counter()
        if left > spin_seconds:
            gevent.sleep(left - spin_seconds)
        while time.perf_counter() < self._origin + due:
            gevent.sleep(0)

    def _send(self, index: int) -> None:
        samples, code = self._samples, int(self._samples.protocol[index])
        example = int(self._plan.schedule.example[index])
        free = self._free[code]
        connection = free.pop() if free else self._protocols[code].connect()  # type: ignore[index]
        samples.sent[index] = time.perf_counter() - self._origin
        try:
            answer = connection.infer(example, self._plan.deadline_seconds)
        except RequestError as error:
            # A request that ran into its deadline was never done.
            if error.kind is not ErrorKind.DEADLINE:
                samples.done[index] = time.perf_counter() - self._origin
            self._count_error(index, error.kind, str(error))
            return
        samples.done[index] = time.perf_counter() - self._origin
        free.append(connection)
        difference = self._plan.checker.difference(example, answer)
        if difference is not None:
            self._count_error(index, difference.kind, difference.message)
            return
        samples.kind[index] = ErrorKind.NONE
        samples.ok[index] = True

    def _count_error(self, index: int, kind: ErrorKind, message: str) -> None:
        self._samples.kind[index] = kind
        protocol = self._protocols[self._samples.protocol[index]].code.label
        self.first_errors.setdefault(kind.label, f"{protocol}: {message}")
