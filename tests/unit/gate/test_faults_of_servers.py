"""What the runner says of servers with faults. The gates run a few at once, before the tests."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.unit.gate.builders import make_request, make_short_profile
from tests.unit.gate.kserve_fake import FakeServer, serving
from tests.unit.gate.running import GOLDEN_REQUESTS, run_gate
from tidegate.gate.verdict import Outcome, Verdict

pytestmark = [pytest.mark.unit, pytest.mark.timeout(600)]

AT_ONCE = 3
TRIES = 5
LONG = {"duration_seconds": 60}
LONG_AND_HUNG = {**LONG, "deadline_seconds": 3, "slos": {"p95": 2900}}


@dataclass(frozen=True)
class Case:
    server: Mapping[str, Any]
    profile: Mapping[str, Any] = field(default_factory=dict)


UNDER_LOAD = {"healthy_requests": GOLDEN_REQUESTS}
SLOW = {"fault": "slow", "slow_seconds": 3.6, **UNDER_LOAD}
SLO_MILLISECONDS = 3000
CASES = {
    "hung": Case({"fault": "hang"}, LONG_AND_HUNG),
    "hungUnderLoad": Case({"fault": "hang", **UNDER_LOAD}, LONG_AND_HUNG),
    "status500": Case({"fault": "status500"}, LONG),
    "emptyUnderLoad": Case({"fault": "emptyTensor", **UNDER_LOAD}, LONG),
    "slow": Case(SLOW, {"slos": {"p95": SLO_MILLISECONDS}}),
    # Right answers, all of them too late: errors alone would let the load go on.
    "slowAtALook": Case(SLOW, LONG | {"slos": {"p50": SLO_MILLISECONDS}, "looks_seconds": [1.5]}),
    "countedTwice": Case({"counted_twice": True}),
    "wrongValue": Case({"fault": "wrongValue"}),
    "emptyTensor": Case({"fault": "emptyTensor"}),
    "notANumber": Case({"fault": "notANumber"}),
    "otherVersion": Case({"fault": "otherVersion"}),
}


@dataclass(frozen=True)
class Ended:
    code: int
    verdict: Verdict
    server: FakeServer


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    folder = tmp_path_factory.mktemp("gates")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(CASES, pool.map(lambda name: believed(folder, name), CASES), strict=True))


def believed(folder: Path, name: str) -> Ended:
    """The gate of a case, asked again as long as a busy machine made its generator late."""
    for number in range(TRIES):
        run = gate(folder / f"{name}-{number}", name)
        violated = {each.name for each in run.verdict.checks if each.state == "violated"}
        if violated != {"lag"}:
            break
    return run


def gate(folder: Path, name: str) -> Ended:
    folder.mkdir()
    with serving(FakeServer(**CASES[name].server)) as server:
        profile = make_short_profile(**CASES[name].profile)
        request = make_request(folder, server, profile=profile, revision=f"doubler-2-{name}")
        return Ended(*run_gate(folder / "run", request), server)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wrongValue", "golden answers are wrong"),
        ("emptyTensor", "is empty"),
        ("notANumber", "holds NaN"),
    ],
)
def test_wrong_golden_answers_fail_before_any_load(
    ended: dict[str, Ended], name: str, said: str
) -> None:
    run = ended[name]
    assert (run.code, run.verdict.outcome) == (1, Outcome.FAIL)
    assert run.server.requests == GOLDEN_REQUESTS
    assert said in run.verdict.summary
    assert run.verdict.counts.sent == 0


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("hung", "deadline"),
        ("hungUnderLoad", "deadline"),
        ("status500", "status"),
        ("emptyUnderLoad", "emptyTensor"),
    ],
)
def test_errors_under_load_fail_and_stop_the_load_early(
    ended: dict[str, Ended], name: str, kind: str
) -> None:
    verdict = ended[name].verdict
    assert (ended[name].code, verdict.outcome) == (1, Outcome.FAIL), verdict.reasons
    assert verdict.stopped_early is not None
    assert verdict.counts.planned < 6000
    assert kind in verdict.errors_by_kind and kind in verdict.first_errors
    assert "error rate" in verdict.summary


def test_a_slow_server_fails_on_its_quantile(ended: dict[str, Ended]) -> None:
    verdict = ended["slow"].verdict
    assert (ended["slow"].code, verdict.outcome) == (1, Outcome.FAIL), verdict.reasons
    assert "p95" in verdict.summary and "SLO 3000 ms" in verdict.summary
    assert verdict.counts.errored == 0


def test_a_look_that_fails_ends_the_load(ended: dict[str, Ended]) -> None:
    verdict = ended["slowAtALook"].verdict
    assert (ended["slowAtALook"].code, verdict.outcome) == (1, Outcome.FAIL), verdict.reasons
    assert verdict.stopped_early is not None and "look at 1.5 s" in verdict.stopped_early
    assert verdict.looks[0].outcome is Outcome.FAIL
    assert verdict.counts.planned == verdict.counts.sent < 6000


def test_another_version_is_invalid(ended: dict[str, Ended]) -> None:
    verdict = ended["otherVersion"].verdict
    assert (ended["otherVersion"].code, verdict.outcome) == (3, Outcome.INVALID)
    assert "doubler version 1, expected doubler version 2" in verdict.summary


def test_a_server_that_counts_otherwise_is_invalid(ended: dict[str, Ended]) -> None:
    verdict = ended["countedTwice"].verdict
    assert (ended["countedTwice"].code, verdict.outcome) == (3, Outcome.INVALID)
    assert "the server counted" in verdict.summary
