"""Releases that must not take traffic, each declared while users keep asking."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

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

STRICT = {"gate": {"profile": "test-strict"}}
IMPATIENT = {"probes": {"readyTimeoutSeconds": 8}}


@dataclass(frozen=True)
class BadRelease:
    """How a release is bad and what the refusal must say. No fault: its files are changed.

    `settings` are the service's while it is declared.
    """

    fault: Fault | None
    words: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

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
    "too slow": BadRelease(TOO_SLOW, ("takes no traffic", "FAIL", "p95", "SLO 2000 ms"), STRICT),
    "hangs": BadRelease(
        HANGS, ("takes no traffic", "FAIL", "requests failed", "error rate", "limit 5.00%"), STRICT
    ),
    "empty tensors": BadRelease(
        EMPTY_TENSORS, ("takes no traffic", "FAIL", "golden answers are wrong", "is empty")
    ),
    "files do not match": BadRelease(
        None, ("its files are not those of the manifest", "model.onnx is sha256:", "expected")
    ),
    "never ready": BadRelease(
        NEVER_READY, ("is not ready after 8 s", "Triton runs (pid"), IMPATIENT
    ),
}


@pytest.fixture
def live(shared: Project) -> str:
    """The good release that is live on the shared stack, digits@1 or digits@2."""
    for name in ("1", "2"):
        if shared.weights().get(shared.revision(name)) == 100:
            return name
    shared.declare_digits("1")
    shared.up()
    return "1"


@pytest.mark.parametrize("kind", BAD)
def test_bad_release_is_refused_while_the_live_one_serves(
    shared: Project, live: str, load_on: Callable[[Project], BackgroundLoad], kind: str
) -> None:
    revision = shared.revision(live)
    bad = BAD[kind].publish(shared)
    # With probes of its own the live release would be another revision as its standby.
    standby = None if "probes" in BAD[kind].settings else live
    with load_on(shared) as load:
        shared.declare_digits(bad, standby=standby, **BAD[kind].settings)
        refusal = shared.up(expect_failure=True)

    assert shared.weights()[revision] == 100
    for words in BAD[kind].words:
        assert words in refusal.output
    report = load.report()
    assert report.failures == []
    assert report.revisions == [revision]


def test_what_was_refused_is_taken_back(
    shared: Project, live: str, load_on: Callable[[Project], BackgroundLoad]
) -> None:
    revision = shared.revision(live)
    shared.declare_digits(shared.new_release(WRONG_ANSWERS.apply), standby=live)
    shared.up(expect_failure=True)
    with load_on(shared) as load:
        shared.declare_digits(live)
        shared.up()

    assert shared.servers() == {revision}
    assert shared.weights() == {revision: 100}
    assert load.report().failures == []


@pytest.mark.parametrize("kind", ["wrong answers", "never ready"])
def test_with_continue_on_error_nothing_is_lost_and_the_next_good_release_goes_live(
    shared: Project, live: str, load_on: Callable[[Project], BackgroundLoad], kind: str
) -> None:
    good = "2" if live == "1" else "1"
    old, new = (shared.revision(name) for name in (live, good))
    # Without the live release in the file: this is what would delete it.
    bad = BAD[kind].publish(shared)
    with load_on(shared) as load:
        shared.declare_digits(bad, **BAD[kind].settings)
        refusal = shared.up(expect_failure=True, continue_on_error=True)
        assert shared.weights() == {old: 100}

        shared.declare_digits(good)
        shared.up()

    for words in BAD[kind].words:
        assert words in refusal.output
    assert shared.servers() == {new}
    assert shared.weights() == {new: 100}
    report = load.report()
    assert report.failures == []
    assert report.revisions == [old, new]
