"""Switches that watch what users meet: they go on, turn back, and survive what happens to them."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engine.harness.load import BackgroundLoad
from tests.engine.harness.project import Project
from tests.engine.harness.releases import SERVICE, SLOWER, Fault, fails_while_there_is
from tests.engine.harness.waiting import wait_for
from tidegate.traffic.switch_documents import Ending

pytestmark = pytest.mark.engine

LoadOn = Callable[[Project], BackgroundLoad]

# Latencies are judged where a test is about them: others load this machine while tests run.
ERRORS = {"errorRate": 0.05, "latency": {}}


def canary(**changes: Any) -> dict[str, Any]:
    return {
        "strategy": "canary",
        "steps": [{"weight": 30, "seconds": 3}],
        "minimumRequests": 100,
        "patience": 20,
        "maxRegression": ERRORS,
        **changes,
    }


class Scene:
    """digits@1 takes the traffic; another release stands by that never took any."""

    def __init__(self, project: Project, fault: Fault | None = None) -> None:
        self.project = project
        self.release = project.new_release(fault.apply if fault is not None else None)
        self.old, self.new = project.revision("1"), project.revision(self.release)

    def reset(self) -> None:
        self.project.declare_digits("1", standby=self.release)
        self.project.settle()
        assert self.project.weights() == {self.old: 100, self.new: 0}

    def declare(self, switch: dict[str, Any], **settings: Any) -> None:
        self.project.declare_digits(self.release, standby="1", switch=switch, **settings)

    def is_back(self) -> bool:
        weights = self.project.weights()
        return weights.get(self.old) == 100 and not weights.get(self.new)


@pytest.fixture(scope="module")
def scene(shared: Project) -> Scene:
    return Scene(shared)


@pytest.fixture(scope="module")
def fragile(shared: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Scene, Path]:
    """A release that fails as long as there is the file."""
    file = tmp_path_factory.mktemp("cause") / "broken"
    return Scene(shared, fails_while_there_is(file)), file


def test_without_users_it_turns_back_and_says_so(scene: Scene) -> None:
    scene.reset()
    scene.declare(canary(patience=4))

    run = scene.project.up(expect_failure=True)

    assert "requests" in run.output
    assert "Nothing was shown against it: the next `pulumi up` tries again" in run.output
    assert scene.is_back()
    outcome = scene.project.wait_for_outcome()
    assert (outcome.ending, outcome.was_shown) == (Ending.TURNED_BACK, False)


def test_an_update_that_ends_in_the_middle_of_a_step_turns_back(
    scene: Scene, load_on: LoadOn
) -> None:
    project = scene.project
    scene.reset()
    scene.declare(canary())
    with load_on(project) as load:
        update = project.start_up()
        project.wait_for_weight(scene.new, 30)
        update.interrupt()
        interrupted = update.wait(timeout=60)
        assert not interrupted.succeeded
        assert f"{scene.old} has all of the traffic again" in interrupted.output
        assert "Traceback" not in interrupted.output
        assert scene.is_back()

        update = project.start_up()
        project.wait_for_weight(scene.new, 30)
        update.kill()
        update.wait()
        project.cancel()
        project.declare_digits("1", standby=scene.release)
        reverted = project.up()

    assert "is not declared any more" in reverted.output
    assert project.weights() == {scene.old: 100, scene.new: 0}
    assert project.wait_for_outcome().ending is Ending.CANCELLED
    assert load.report().failures == []


def test_it_survives_the_engine_and_its_conductor_and_loses_no_request(
    scene: Scene, load_on: LoadOn
) -> None:
    """The lease of a killed `up` runs out; the next one is finished by a conductor's successor."""
    project = scene.project
    scene.reset()
    scene.declare(canary(steps=[{"weight": 30, "seconds": 60}]))
    with load_on(project) as load:
        update = project.start_up()
        project.wait_for_weight(scene.new, 30)
        update.kill()
        update.wait()
        project.cancel()
        assert project.wait_for_outcome().ending is Ending.LEASE_LOST
        assert scene.is_back()

        scene.declare(canary(bakeSeconds=2))
        update = project.start_up()
        project.wait_for_weight(scene.new, 30)
        os.kill(project.pid(f"switch-{SERVICE}"), signal.SIGKILL)
        run = update.wait()
        assert run.succeeded, run.output

    assert project.weights() == {scene.new: 100, scene.old: 0}
    assert "resumed" in [each["event"] for each in project.journal()]
    assert not project.preview().changes
    report = load.report()
    assert report.failures == []
    assert report.rate_per_second >= 200

    project.declare_digits("1", standby=scene.release, switch=canary())
    rollback = project.up()  # it has served here: no step holds it up
    assert project.weights() == {scene.old: 100, scene.new: 0}
    assert rollback.seconds < run.seconds


def test_a_release_that_fails_for_users_is_turned_back_and_stays_out(
    fragile: tuple[Scene, Path], load_on: LoadOn
) -> None:
    scene, broken = fragile
    broken.unlink(missing_ok=True)
    scene.reset()
    scene.declare(canary())
    with load_on(scene.project) as load:
        update = scene.project.start_up()
        scene.project.wait_for_weight(scene.new, 30)
        broken.touch()
        run = update.wait()
        assert not run.succeeded, run.output
        assert scene.is_back()
        broken.unlink()
        again = scene.project.up(expect_failure=True)

    for output in (run.output, again.output):
        assert f"{scene.new} does not take the traffic" in output
        assert "requests of users met it" in output
        assert "This stands for this revision" in output
    assert again.seconds < run.seconds
    failures = load.report().failures
    outcome = scene.project.wait_for_outcome()
    # Those sent while it was being turned back may be counted by one side only.
    assert len(failures) > 0
    assert abs(outcome.candidate_errors - len(failures)) <= 0.3 * 220 * 2
    assert {each.revision for each in failures} <= {scene.new, ""}


def test_a_bake_turns_back_what_failed_after_all_at_once(
    fragile: tuple[Scene, Path], load_on: LoadOn
) -> None:
    scene, broken = fragile
    broken.unlink(missing_ok=True)
    scene.reset()
    scene.declare({"bakeSeconds": 5, "maxRegression": ERRORS}, retry="the cause was outside")
    with load_on(scene.project):
        update = scene.project.start_up()
        scene.project.wait_for_weight(scene.new, 100)
        broken.touch()
        run = update.wait()
        broken.unlink()
        assert not run.succeeded, run.output
        assert "This stands for this revision" in run.output
        assert scene.is_back()

        scene.project.declare_digits("2")  # the next good one goes through
        scene.project.up()
    assert scene.project.weights() == {scene.project.revision("2"): 100}


def test_a_slower_release_is_turned_back(shared: Project, load_on: LoadOn) -> None:
    scene = Scene(shared, SLOWER)
    scene.reset()
    scene.declare(canary(maxRegression={"errorRate": 0.05, "latency": {"p95": 0.5}}))
    with load_on(scene.project) as load:
        run = scene.project.up(expect_failure=True)

    assert "p95" in run.output
    assert "This stands for this revision" in run.output
    assert scene.is_back()
    assert load.report().failures == []


def test_steps_too_short_for_the_users_there_are_refused_at_preview(
    scene: Scene, load_on: LoadOn
) -> None:
    other = Scene(scene.project)
    other.reset()
    other.declare(canary(minimumRequests=50000))
    with load_on(scene.project):
        refused = scene.project.preview(expect_failure=True)

    assert "tidegate:services.digits: switch.steps.0.seconds" in refused.output
    assert "requests/s" in refused.output
    wait_for("nothing to have moved", other.is_back, 1)
