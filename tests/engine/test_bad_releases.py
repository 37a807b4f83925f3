"""Releases that must not take traffic, each declared while users keep asking."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.engine.harness.load import BackgroundLoad
from tests.engine.harness.project import Project
from tests.engine.harness.releases import (
    EMPTY_TENSORS,
    HANGS,
    NEVER_READY,
    SERVICE,
    TOO_SLOW,
    WRONG_ANSWERS,
    Fault,
)

pytestmark = pytest.mark.engine

READY_TIMEOUT = {"readyTimeoutSeconds": 8}


@dataclass(frozen=True)
class BadRelease:
    """How a release is bad and what the refusal must say. No fault: its files are changed."""

    fault: Fault | None
    words: tuple[str, ...]

    def publish(self, project: Project) -> str:
        if self.fault is not None:
            return project.new_release(self.fault.apply)
        name = project.new_release()
        path = project.serving_root / f"models/{SERVICE}/{name}/{SERVICE}/{name}/model.onnx"
        path.write_bytes(path.read_bytes()[:-1])
        return name


BAD = {
    "wrong answers": BadRelease(
        WRONG_ANSWERS, ("takes no traffic", "FAIL", "golden answers are wrong", "agreement 0.0%")
    ),
    "too slow": BadRelease(TOO_SLOW, ("takes no traffic", "FAIL", "p95", "SLO 400 ms")),
    "hangs": BadRelease(
        HANGS, ("takes no traffic", "FAIL", "requests failed", "error rate", "limit 3.00%")
    ),
    "empty tensors": BadRelease(
        EMPTY_TENSORS, ("takes no traffic", "FAIL", "golden answers are wrong", "is empty")
    ),
    "files do not match": BadRelease(
        None, ("its files are not those of the manifest", "model.onnx is sha256:", "expected")
    ),
    "never ready": BadRelease(NEVER_READY, ("is not ready after 8 s", "Triton runs (pid")),
}
CONTINUED = ("wrong answers", "files do not match", "never ready")


@pytest.fixture
def live(shared: Project) -> str:
    """The good release that is live on the shared stack, digits@1 or digits@2."""
    for name in ("1", "2"):
        if shared.weights().get(shared.revision(name, **READY_TIMEOUT)) == 100:
            return name
    shared.declare_digits("1", probes=READY_TIMEOUT)
    shared.up()
    return "1"


@pytest.mark.parametrize(
    ("kind", "continue_on_error"),
    [(kind, False) for kind in BAD] + [(kind, True) for kind in CONTINUED],
)
def test_bad_release_is_refused_and_the_next_good_one_needs_no_repair(
    shared: Project,
    live: str,
    load_on: Callable[[Project], BackgroundLoad],
    kind: str,
    continue_on_error: bool,
) -> None:
    bad = BAD[kind].publish(shared)
    good = "2" if live == "1" else "1"
    live_id, good_id = (shared.revision(name, **READY_TIMEOUT) for name in (live, good))

    with load_on(shared) as load:
        shared.declare_digits(bad, standby=live, probes=READY_TIMEOUT)
        refusal = shared.up(expect_failure=True, continue_on_error=continue_on_error)
        assert shared.weights()[live_id] == 100

        shared.declare_digits(good, probes=READY_TIMEOUT)
        shared.up()

    for words in BAD[kind].words:
        assert words in refusal.output
    assert shared.servers() == {good_id}
    assert shared.weights() == {good_id: 100}
    report = load.report()
    assert report.failures == []
    assert report.revisions == [live_id, good_id]
