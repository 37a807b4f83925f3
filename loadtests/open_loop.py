"""The gate's open-loop load under Locust's own command line and web UI, for exploring.

    locust -f loadtests/open_loop.py --host http://127.0.0.1:8080 --users 1 \
        --gate-profile loadtests/profiles/quick.yaml

One Locust user walks the profile's schedule; latencies count from the intended start of each
request and every answer is checked. With --processes N take N users: each process sends its part.
Locust rounds what it shows: decide with `tidegate gate run`.
"""

import time
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gevent
from locust import User, events, task
from locust.exception import StopUser
from locust.runners import WorkerRunner

from tidegate.gate.answers import AnswerChecker
from tidegate.gate.checking import ArmChecker, Revisions
from tidegate.gate.golden_signature import infer_signature
from tidegate.gate.load_plan import LoadArm, LoadPlan
from tidegate.gate.profile import Profile, load_profile
from tidegate.gate.protocols.catalogue import protocol_codes, protocols_for
from tidegate.gate.protocols.endpoint import Endpoint
from tidegate.gate.records import Rows
from tidegate.gate.samples import CANDIDATE_ARM, ErrorKind, ProtocolCode
from tidegate.gate.schedule import ArmPlan, Schedule, segments
from tidegate.gate.walk import Walk
from tidegate.spec.golden import load_golden
from tidegate.spec.release import Tolerance

LOADTESTS = Path(__file__).resolve().parent
SERVING = LOADTESTS.parent / "serving"
REPORT_SECONDS = 0.5


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def add_arguments(parser: ArgumentParser, **_: Any) -> None:
    """Fields of Locust's web form as well."""
    parser.add_argument("--gate-profile", default=str(LOADTESTS / "profiles/quick.yaml"))
    parser.add_argument("--model", default="digits", help="model to ask")
    parser.add_argument("--model-version", default="1", help="version expected in the answers")
    parser.add_argument(
        "--golden", default=str(SERVING / "golden/digits/1.npz"), help="golden set of that version"
    )
    parser.add_argument("--grpc-target", default="", help="host:port; empty for HTTP alone")


class ScheduleUser(User):
    """Sends the whole schedule once. One user is enough for any rate."""

    @task
    def walk_schedule(self) -> None:
        options = self.environment.parsed_options
        golden_path = Path(options.golden)
        signature = infer_signature(golden_path, options.model, options.model_version)
        golden = load_golden(golden_path, signature)
        profile = load_profile(Path(options.gate_profile))
        grpc = Endpoint(options.grpc_target) if options.grpc_target else None
        protocols = protocols_for(
            Endpoint(urlsplit(self.host or "").netloc), grpc, signature, golden
        )
        checker = AnswerChecker(signature, golden, Tolerance(absolute=1e-5, relative=1e-4))
        arm = LoadArm(
            {int(each.code): each for each in protocols},
            ArmChecker(checker, "explored", Revisions()),
        )
        plan = LoadPlan(
            schedule=self._own_part(profile, golden.count, grpc is not None),
            arms={CANDIDATE_ARM: arm},
            deadline_seconds=profile.deadline_seconds,
            origin=time.perf_counter() + REPORT_SECONDS,
        )
        walk = Walk(plan)
        walk.begin()
        try:
            while not walk.finished.wait(REPORT_SECONDS):
                self._show(walk.take_settled())
            self._show(walk.take_settled())
        finally:
            walk.close()
        raise StopUser

    def _own_part(self, profile: Profile, examples: int, has_grpc: bool) -> Iterator[Schedule]:
        runner = self.environment.runner
        workers, number = 1, 0
        if isinstance(runner, WorkerRunner):
            workers, number = (
                max(1, self.environment.parsed_options.processes or 1),
                runner.worker_index,
            )
        codes = protocol_codes(grpc=has_grpc, streaming=False)
        first = 0
        for segment in segments(profile, [ArmPlan(CANDIDATE_ARM, codes)], examples):
            yield segment.share_of(number % workers, workers, first)
            first += len(segment)

    def _show(self, parts: list[Rows]) -> None:
        for rows in parts:
            for row in rows:
                kind = ErrorKind(int(row["kind"]))
                waited = float(row["done"] - row["intended"]) if row["done"] == row["done"] else 0.0
                self.environment.events.request.fire(
                    request_type=ProtocolCode(int(row["protocol"])).label,
                    name="infer",
                    response_time=waited * 1000.0,
                    response_length=max(0, int(row["bytes"])),
                    exception=None if row["ok"] else RuntimeError(kind.label),
                    context={},
                )
            gevent.sleep(0)
