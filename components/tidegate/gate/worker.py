"""One process of the load generator: `python -m tidegate.gate.worker RUN_DIR NUMBER`.

Started by `tidegate.gate.load`, which writes RUN_DIR/load/plan.json. Standard input takes
"go <moment of time.perf_counter>" and "stop"; its end means that nobody wants the load any more.
Standard output gives one JSON message a line; rows go to RUN_DIR/load/<NUMBER>.rows.
"""

import contextlib
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import gevent
import gevent.os

from tidegate.gate.arms import Arm, arms_of
from tidegate.gate.checking import ArmChecker, Revisions
from tidegate.gate.generator import generate
from tidegate.gate.load_plan import LoadArm, LoadPlan
from tidegate.gate.request import GateRequest
from tidegate.gate.samples import CANDIDATE_ARM
from tidegate.gate.schedule import Schedule, segments
from tidegate.gate.walk import Walk
from tidegate.gate.worker_messages import WorkerPlan, WorkerReport

_REPORT_SECONDS = 0.25
_PRIORITY = -10


def main(arguments: list[str]) -> int:
    run_dir, number = Path(arguments[0]), int(arguments[1])
    allow_many_connections()
    go_first()
    request = GateRequest.load(run_dir / "request.json")
    plan = WorkerPlan.load(run_dir / "load" / "plan.json")
    arms = arms_of(request)
    revisions = Revisions()
    load_arms = {arm.code: _load_arm(arm, plan, revisions) for arm in arms}
    orders = _Orders()
    print(json.dumps({"state": "ready"}), flush=True)
    origin = orders.wait_for_go()
    load = LoadPlan(
        schedule=_share_of_schedule(request, arms, plan, number),
        arms=load_arms,
        deadline_seconds=request.profile.deadline_seconds,
        origin=origin,
    )
    with (run_dir / "load" / f"{number}.rows").open("wb") as stream:
        reporter = _Reporter(stream.fileno(), revisions)

        def while_running(walk: Walk) -> None:
            listener = gevent.spawn(orders.obey, walk)
            try:
                while True:
                    gevent.sleep(_REPORT_SECONDS)
                    reporter.report(walk, "running")
            finally:
                listener.kill()

        walk = generate(load, while_running)
        reporter.report(walk, "finished")
    for load_arm in load_arms.values():
        for protocol in load_arm.protocols.values():
            protocol.close()
    return 0


class _Orders:
    """Reads standard input without blocking the event loop."""

    def __init__(self) -> None:
        self._file = sys.stdin.fileno()
        os.set_blocking(self._file, False)
        self._buffer = b""

    def wait_for_go(self) -> float:
        word, _, moment = self._line().partition(" ")
        if word != "go":
            sys.exit(0)
        return float(moment)

    def obey(self, walk: Walk) -> None:
        if self._line() == "stop":
            walk.stop_sending()
            self._line()
        # Without anyone to report to, the load would only hurt.
        os._exit(0)

    def _line(self) -> str:
        """The next line; empty at the end of the input."""
        while b"\n" not in self._buffer:
            more = gevent.os.nb_read(self._file, 4096)
            if not more:
                return ""
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode()


class _Reporter:
    def __init__(self, file: int, revisions: Revisions) -> None:
        self._file, self._revisions = file, revisions
        self._rows = 0
        self._cpu_started = time.process_time()

    def report(self, walk: Walk, state: str) -> None:
        for rows in walk.take_settled():
            content = rows.tobytes()
            while content:
                content = content[os.write(self._file, content) :]
            self._rows += rows.size
        settled = walk.settled_seconds()
        report = WorkerReport(
            state=state,
            rows=self._rows,
            settled_seconds=None if settled == float("inf") else settled,
            sent=walk.sent,
            done=walk.done,
            errors=walk.errors,
            cpu_seconds=time.process_time() - self._cpu_started,
            first_errors=walk.first_errors,
            revisions=tuple(self._revisions.names),
        )
        print(report.model_dump_json(by_alias=True), flush=True)


def _load_arm(arm: Arm, plan: WorkerPlan, revisions: Revisions) -> LoadArm:
    agreeing = plan.agreeing if arm.code == CANDIDATE_ARM else None
    return LoadArm(
        protocols={int(protocol.code): protocol for protocol in arm.protocols()},
        checker=ArmChecker(arm.checker(agreeing), arm.revision, revisions),
    )


def _share_of_schedule(
    request: GateRequest, arms: list[Arm], plan: WorkerPlan, number: int
) -> Iterator[Schedule]:
    """Every `workers`-th request of the run, beginning with request `number`."""
    plans = [arm.plan(plan.rate_factors[arm.code]) for arm in arms]
    first = 0
    for segment in segments(request.profile, plans, arms[0].golden.count):
        yield segment.share_of(number, plan.workers, first)
        first += len(segment)


def allow_many_connections() -> None:
    """A server that stalls leaves every request of the stall open, each on its own connection."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def go_first() -> None:
    """A generator that waits for a core is late and measures itself; it needs little of one."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
