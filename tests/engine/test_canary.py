"""Switches that watch what users meet: they go on, turn back, and survive what happens to them."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engine.harness.load import BackgroundLoad
from tests.engine.harness.project import Project
from tests.engine.harness.releases import SERVICE, Fault, worse_while_there_is
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


class FragileScene(Scene):
    """Its release fails, or is slow, as long as there is a file."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.broken, self.slow = folder / "broken", folder / "slow"
        super().__init__(project, worse_while_there_is(self.broken, self.slow))

    def reset(self) -> None:
        self.broken.unlink(missing_ok=True)
        self.slow.unlink(missing_ok=True)
        super().reset()


@pytest.fixture(scope="module")
def fragile(shared: Project, tmp_path_factory: pytest.TempPathFactory) -> FragileScene:
    return FragileScene(shared, tmp_path_factory.mktemp("cause"))


def test_without_users_it_turns_back_and_says_so(scene: Scene) -> None:
    scene.reset()
    scene.declare(canary(patience=4))

    run = scene.project.up(expect_failure=True)

    assert "requests" in run.output
    assert "Nothing was shown against it: the next `pulumi up` tries again" in run.output
    assert scene.is_back()
    outcome = scene.project.wait_for_outcome()
    assert (outcome.ending, outcome.was_shown) == (Ending.TURNED_BACK, False)


def test_steps_too_short_for_the_users_there_are_refused_at_preview(
    scene: Scene, load_on: LoadOn
) -> None:
    scene.reset()
    scene.declare(canary(minimumRequests=50000))
    with load_on(scene.project):
        refused = scene.project.preview(expect_failure=True)

    assert "tidegate:services.digits: switch.steps.0.seconds" in refused.output
    assert "requests/s" in refused.output
    assert scene.is_back()


def test_an_update_that_ends_in_the_middle_of_a_step_turns_back(
    scene: Scene, load_on: LoadOn
) -> None:
    project = scene.project
    scene.reset()
    scene.declare(canary(steps=[{"weight": 30, "seconds": 60}]))
    with load_on(project) as load:
        update = project.start_canary(scene.new, 30)
        update.interrupt()
        interrupted = update.wait(timeout=60)
        assert not interrupted.succeeded
        assert f"{scene.old} has all of the traffic again" in interrupted.output
        assert "Traceback" not in interrupted.output
        assert scene.is_back()

        update = project.start_canary(scene.new, 30)
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
    scene: Scene, full_load_on: LoadOn
) -> None:
    """The lease of a killed `up` runs out; the next one is finished by a conductor's successor."""
    project = scene.project
    scene.reset()
    scene.declare(canary(steps=[{"weight": 30, "seconds": 60}]))
    with full_load_on(project) as load:
        update = project.start_canary(scene.new, 30)
        update.kill()
        update.wait()
        project.cancel()
        assert project.wait_for_outcome().ending is Ending.LEASE_LOST
        assert scene.is_back()

        scene.declare(canary(bakeSeconds=2))
        update = project.start_canary(scene.new, 30)
        os.kill(project.pid(f"switch-{SERVICE}"), signal.SIGKILL)
        run = update.wait()
        assert run.succeeded, run.output

    assert project.weights() == {scene.new: 100, scene.old: 0}
    assert {"resumed", "judged"} <= {each["event"] for each in project.journal()}
    assert not project.preview().changes
    report = load.report()
    assert report.failures == []
    assert report.rate_per_second >= 200

    before = len(project.journal())
    project.declare_digits("1", standby=scene.release, switch=canary())
    project.up()  # it has served here: no step holds it up
    assert project.weights() == {scene.old: 100, scene.new: 0}
    assert "judged" not in [each["event"] for each in project.journal()[before:]]


def test_a_release_that_fails_for_users_is_turned_back_and_stays_out(
    fragile: FragileScene, full_load_on: LoadOn
) -> None:
    fragile.reset()
    fragile.declare(canary())
    with full_load_on(fragile.project) as load:
        update = fragile.project.start_canary(fragile.new, 30)
        fragile.broken.touch()
        run = update.wait()
        assert not run.succeeded, run.output
        assert fragile.is_back()
        fragile.broken.unlink()
        turned_back = fragile.project.local.switches.latest(SERVICE)
        again = fragile.project.up(expect_failure=True)

    for output in (run.output, again.output):
        assert f"{fragile.new} does not take the traffic" in output
        assert "requests of users met it" in output
        assert "This stands for this revision" in output
    assert fragile.project.local.switches.latest(SERVICE) == turned_back, "not tried again"
    failures = load.report().failures
    outcome = fragile.project.wait_for_outcome()
    assert failures
    assert outcome.candidate_errors == pytest.approx(len(failures), abs=2)
    assert {each.revision for each in failures} <= {fragile.new, ""}


def test_a_slower_release_is_turned_back(fragile: FragileScene, load_on: LoadOn) -> None:
    fragile.reset()
    switch = canary(
        maxRegression={"errorRate": 0.05, "latency": {"p95": 0.5}},
        steps=[{"weight": 50, "seconds": 3}],
        minimumRequests=200,
    )
    fragile.declare(switch, retry="judged by its latency")
    with load_on(fragile.project) as load:
        update = fragile.project.start_canary(fragile.new, 50)
        fragile.slow.touch()
        run = update.wait()

    assert not run.succeeded
    assert "p95" in run.output
    assert "This stands for this revision" in run.output
    assert fragile.is_back()
    assert load.report().failures == []


def test_a_bake_turns_back_what_failed_after_all_at_once(
    fragile: FragileScene, full_load_on: LoadOn
) -> None:
    fragile.reset()
    fragile.declare({"bakeSeconds": 5, "maxRegression": ERRORS}, retry="the cause was outside")
    with full_load_on(fragile.project):
        update = fragile.project.start_canary(fragile.new, 100)
        fragile.broken.touch()
        run = update.wait()
        fragile.broken.unlink()
        assert not run.succeeded, run.output
        assert "This stands for this revision" in run.output
        assert fragile.is_back()

        fragile.project.declare_digits("2")  # the next good one goes through
        fragile.project.up()
    assert fragile.project.weights() == {fragile.project.revision("2"): 100}
