"""`python -m tests.benchmarks.switch_load PLAN`: users of a gateway, from the gate's generator.

Open loop over HTTP binary, HTTP JSON and gRPC. Answers may come from any of the plan's releases,
and must be right for the one that they name. Prints the moment of `time.perf_counter` at which
the schedule begins, and writes one row for each request to the plan's `result`.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import gevent
import numpy as np

from tests.benchmarks.switch_users import SwitchUsers
from tidegate.gate.answers import AnswerChecker
from tidegate.gate.checking import ArmChecker, Finding, Revisions
from tidegate.gate.generator import generate
from tidegate.gate.load_plan import LoadArm, LoadPlan
from tidegate.gate.profile import Profile
from tidegate.gate.protocols.base import Received, RequestError
from tidegate.gate.protocols.catalogue import protocol_codes, protocols_for
from tidegate.gate.protocols.endpoint import Endpoint
from tidegate.gate.records import Rows, samples_of
from tidegate.gate.request import split_target
from tidegate.gate.samples import CANDIDATE_ARM, REVISION_NOT_STATED, ErrorKind
from tidegate.gate.schedule import ArmPlan, Schedule, segments
from tidegate.gate.walk import Walk
from tidegate.spec.golden import load_golden
from tidegate.spec.release import load_release

_PRIORITY = -10
"""As the gate's own workers: users do not wait for a processor on this machine."""
_TAKE_SECONDS = 0.5
_START_DELAY_SECONDS = 0.5


@dataclass(frozen=True)
class Gateways(Endpoint):
    """Several gateways under one name: every new connection goes to the next of them."""

    addresses: Iterator[str] = field(default_factory=lambda: iter(()))

    @property
    def address(self) -> tuple[str, int]:
        return split_target(next(self.addresses))

    @property
    def server_name(self) -> str:
        return split_target(self.target)[0]


class EitherRevision(ArmChecker):
    """Takes an answer from any revision; what it says must be right for that one.

    `index` is the revision of the answer that was checked last.
    """

    def __init__(self, checkers: dict[str, AnswerChecker], revisions: Revisions) -> None:
        self._checkers, self._revisions = checkers, revisions
        self._index = REVISION_NOT_STATED
        self._seen: dict[tuple[int, int, int], tuple[object, ...]] = {}

    @property
    def index(self) -> int:
        return self._index

    def check(self, protocol: int, example: int, received: Received) -> Finding | None:
        for index in range(len(self._revisions.names)):
            if self._seen.get((protocol, example, index)) == received.identity:
                self._index = index
                return None
        self._index = REVISION_NOT_STATED
        try:
            answer = received.decode()
        except RequestError as error:
            return Finding(error.kind, str(error), REVISION_NOT_STATED)
        revision = revision_of(answer.revision or "")
        checker = self._checkers.get(revision)
        if checker is None:
            said = f"answered by {answer.revision}, which is none of the revisions"
            return Finding(ErrorKind.OTHER_VERSION, said, REVISION_NOT_STATED)
        self._index = self._revisions.index(revision)
        difference = checker.difference(example, answer)
        if difference is not None:
            return Finding(difference.kind, difference.message, self._index)
        identity = tuple(
            bytes(part) if isinstance(part, bytearray) else part for part in received.identity
        )
        self._seen[protocol, example, self._index] = identity
        return None


def revision_of(header: str) -> str:
    """The revision in an answer: its id, or the Envoy cluster of its Kubernetes Service."""
    return header.split("/")[2] if header.startswith("service/") else header


def main(arguments: list[str]) -> int:
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)
    users = SwitchUsers.load(Path(arguments[0]))
    releases = {
        revision: load_release(Path(users.serving_root), users.service, release)
        for revision, release in users.releases.items()
    }
    goldens = {
        revision: load_golden(Path(users.serving_root) / release.golden.path, release.model)
        for revision, release in releases.items()
    }
    revisions = Revisions()
    checker = EitherRevision(
        {
            revision: AnswerChecker(release.model, goldens[revision], release.golden.tolerance)
            for revision, release in releases.items()
        },
        revisions,
    )
    # Releases of one lineage are asked the same: any golden set has the inputs.
    first = next(iter(releases))
    addresses = users.addresses or [users.target]
    endpoint = Gateways(users.target, addresses=cycle(addresses))
    protocols = protocols_for(endpoint, endpoint, releases[first].model, goldens[first])
    rows: list[Rows] = []

    def while_running(walk: Walk) -> None:
        while True:
            gevent.sleep(_TAKE_SECONDS)
            rows.extend(walk.take_settled())

    origin = time.perf_counter() + _START_DELAY_SECONDS
    print(json.dumps({"origin": origin}), flush=True)
    walk = generate(
        LoadPlan(
            schedule=_schedule(users, goldens[first].count),
            arms={CANDIDATE_ARM: LoadArm({each.code: each for each in protocols}, checker)},
            deadline_seconds=users.deadline_seconds,
            origin=origin,
        ),
        while_running,
    )
    rows.extend(walk.take_settled())
    for protocol in protocols:
        protocol.close()
    samples = samples_of(np.concatenate(rows), revisions.names)
    samples.save(Path(users.result))
    Path(users.result).with_suffix(".json").write_text(json.dumps(walk.first_errors[CANDIDATE_ARM]))
    return 0


def _schedule(users: SwitchUsers, examples: int) -> Iterator[Schedule]:
    profile = Profile(
        name="switches",
        description="users during switches",
        arrival="poisson",
        rate_per_second=users.rate_per_second,
        duration_seconds=users.seconds,
        warm_up_seconds=0,
        deadline_seconds=users.deadline_seconds,
        slos={"p50": users.deadline_seconds * 900},
        max_error_rate=0.5,
        seed=users.seed,
        max_requests=100_000_000,
        max_seconds=users.seconds + 60,
    )
    codes = protocol_codes(grpc=True, streaming=False)
    return segments(profile, [ArmPlan(CANDIDATE_ARM, codes)], examples)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
