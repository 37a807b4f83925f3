"""What on-call types: promote, roll back, watch, on real servers while users keep asking."""

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.engine.harness.load import BackgroundLoad
from tests.engine.harness.project import Project
from tests.engine.harness.second_service import publish_for
from tests.engine.harness.tidegate_command import start_tidegate, tidegate, tidegate_decided

pytestmark = pytest.mark.engine

LoadOn = Callable[[Project], BackgroundLoad]
OTHER = "digits-two"
GATE = {"profile": "test"}
SLOW_CANARY = {
    "strategy": "canary",
    "steps": [{"weight": 30, "seconds": 120}],
    "minimumRequests": 100,
    "maxRegression": {"errorRate": 0.2, "latency": {}},
}


@pytest.fixture
def new(project: Project) -> str:
    """A release beside digits@1, which is live and alone."""
    return project.new_release()


def test_promoted_and_rolled_back_at_once_without_a_lost_request(
    project: Project, new: str, load_on: LoadOn
) -> None:
    old_revision, new_revision = project.revision("1"), project.revision(new)
    with load_on(project) as load:
        promoted = tidegate_decided(project, "promote", "digits", new, "--up")
        assert promoted.exit_code == 0, promoted.output
        assert project.weights() == {old_revision: 0, new_revision: 100}

        back = tidegate(project, "rollback", "digits", "--now", "--no-up")
        assert back.exit_code == 0, back.output
        assert "answers in a row came from it" in back.output
        assert project.weights() == {old_revision: 100, new_revision: 0}

        # Somebody else's copy of the stack file does not know of it.
        project.declare_digits(new, standby="1")
        refused = project.preview(expect_failure=True)
        assert f"moved the traffic of digits to {old_revision}" in refused.output
        followed = tidegate(project, "rollback", "digits", "--up")

    assert followed.exit_code == 0, followed.output
    assert project.weights() == {old_revision: 100, new_revision: 0}
    assert not project.preview().changes
    assert project.local.switches.folder("digits").override() is None
    report = load.report()
    assert report.failures == []
    assert report.revision_by_time()[-1] == old_revision
    said = tidegate(project, "history", "digits").output
    assert "ROLLBACK --now" in said


def test_a_running_canary_is_rolled_back_past_the_lock_that_its_update_holds(
    project: Project, new: str, load_on: LoadOn
) -> None:
    old_revision, new_revision = project.revision("1"), project.revision(new)
    project.declare_digits(new, standby="1", switch=SLOW_CANARY)
    with load_on(project) as load:
        update = project.start_canary(new_revision, 30)
        watched = start_tidegate(project, "watch", "digits", "--json")
        looks = _lines_to_a_look(watched)
        status = tidegate(project, "status", "--json")
        [under_way] = json.loads(status.output)["switches"]
        assert new_revision in under_way["under_way"]

        back = tidegate(project, "rollback", "digits", "--now")

        overtaken = update.wait()
        looks += watched.communicate(timeout=120)[0]
    assert back.exit_code == 0, back.output
    assert not overtaken.succeeded
    assert "somebody else moved the traffic" in overtaken.output
    assert watched.returncode == 5
    assert _weights_seen(looks)[0] == {old_revision: 70, new_revision: 30}
    assert project.weights() == {old_revision: 100, new_revision: 0}
    assert not project.preview().changes
    assert load.report().failures == []


@pytest.fixture
def pair(make_project: Callable[[], Project]) -> Iterator[Project]:
    """Two services whose names begin alike, each with one release."""
    project = make_project()
    for release in ("1", "2"):
        publish_for(project.serving_root, OTHER, release)
    project.declare(
        {
            "digits": {"release": "digits@1", "gate": GATE},
            OTHER: {"release": f"{OTHER}@1", "gate": GATE},
        }
    )
    project.up()
    yield project
    project.remove()


def test_one_service_is_updated_alone_although_another_has_a_change_pending(pair: Project) -> None:
    pending = tidegate(pair, "promote", OTHER, "2")
    assert pending.exit_code == 0, pending.output
    before, routes = _of_other(pair), pair.local.recorded_routes(OTHER)
    servers = {name: pair.pid(name) for name in pair.servers() if name.startswith(OTHER)}
    assert servers

    promoted = tidegate_decided(pair, "promote", "digits", "2", "--only")
    assert promoted.exit_code == 0, promoted.output
    assert pair.weights() == {pair.revision("1"): 0, pair.revision("2"): 100}
    assert "digits-two-2" not in promoted.output.partition("Outputs:")[0]

    back = tidegate(pair, "rollback", "digits", "--only")
    assert back.exit_code == 0, back.output
    assert pair.weights() == {pair.revision("1"): 100, pair.revision("2"): 0}

    assert _of_other(pair) == before
    assert pair.local.recorded_routes(OTHER) == routes
    assert {name: pair.pid(name) for name in servers} == servers
    assert pair.preview().changes  # the other one's change is still to come


def _of_other(project: Project) -> list[dict[str, Any]]:
    """What the engine has recorded of the other service's servers, gates, holds and switch.

    Not of the component: its outputs are the program's, whatever is updated.
    """
    parent = f"InferenceService::{OTHER}"
    return [each for each in project.resources() if each.get("parent", "").endswith(parent)]


def _lines_to_a_look(watch: "subprocess.Popen[str]") -> str:
    """What it says until it has seen who takes traffic."""
    assert watch.stdout is not None
    lines = ""
    while not _weights_seen(lines):
        line = watch.stdout.readline()
        assert line, f"it has ended: {lines}"
        lines += line
    return lines


def _weights_seen(lines: str) -> list[dict[str, int]]:
    """Who took traffic, look by look."""
    looks = [json.loads(line) for line in lines.splitlines()]
    return [
        {each["revision"]: each["weight"] for each in look["revisions"] if each["weight"]}
        for look in looks
        if look["revisions"]
    ]
