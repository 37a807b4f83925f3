"""Releases, services and settings that come and go."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.engine.harness.load import BackgroundLoad
from tests.engine.harness.project import Project
from tests.engine.harness.releases import slow_while_there_is
from tidegate.gate.verdict import Outcome

pytestmark = pytest.mark.engine

STRICT = {"profile": "test-strict"}


def outcomes(project: Project, revision: str) -> list[Outcome]:
    return [each.outcome for each in project.attempts() if each.revision == revision]


def test_release_removed_and_added_again_is_gated_again(project: Project) -> None:
    name = project.new_release()
    revision = project.revision(name)
    for declared, gates in ((name, 1), ("1", 1), (name, 2)):
        project.declare_digits(declared, standby=None if declared == "1" else "1")
        project.up()
        assert outcomes(project, revision).count(Outcome.PASS) == gates
        assert project.weights()[project.revision(declared)] == 100
    project.declare_digits("1")
    project.up()
    assert project.servers() == {project.revision("1")}


def test_service_removed_leaves_nothing_and_comes_back_without_standby(project: Project) -> None:
    revision = project.revision("1")
    before = outcomes(project, revision).count(Outcome.PASS)
    project.declare({})
    project.up()
    assert project.servers() == set()
    assert project.weights() == {}
    assert {each["type"] for each in project.resources()} == {
        "pulumi:pulumi:Stack",
        "pulumi:providers:tidegate",
        "tidegate:local:LocalPlatform",
        "tidegate:index:Gateway",
    }
    assert not list((project.state_folder / "gates").glob("*"))
    url = f"http://{project.gateway}/healthz"
    assert httpx.get(url, trust_env=False).status_code == httpx.codes.SERVICE_UNAVAILABLE

    project.declare_digits("1")
    project.up()
    assert project.servers() == {revision}
    assert project.weights() == {revision: 100}
    assert outcomes(project, revision).count(Outcome.PASS) == before + 1


def test_settings_change_makes_a_revision_that_is_gated(
    project: Project, load_on: Callable[[Project], BackgroundLoad]
) -> None:
    old = project.revision("1")
    new = project.revision("1", healthIntervalSeconds=2)
    assert old != new
    with load_on(project) as load:
        project.declare_digits("1", probes={"healthIntervalSeconds": 2})
        project.up()
    assert outcomes(project, new)[-1] is Outcome.PASS
    assert project.servers() == {new}
    report = load.report()
    assert report.failures == []
    assert report.revisions == [old, new]


def test_fail_stands_until_a_reason_to_retry_is_given(project: Project, tmp_path: Path) -> None:
    busy = tmp_path / "busy"
    busy.touch()
    name = project.new_release(slow_while_there_is(busy).apply)
    revision = project.revision(name)
    project.declare_digits(name, standby="1", gate=STRICT)
    assert "FAIL" in project.up(expect_failure=True).output
    judged = outcomes(project, revision)
    assert judged[-1] is Outcome.FAIL

    busy.unlink()
    again = project.up(expect_failure=True)
    assert "This verdict stands for this revision" in again.output
    assert outcomes(project, revision) == judged

    project.declare_digits(name, standby="1", gate=STRICT, retry="the disk was busy")
    project.up()
    assert project.weights()[revision] == 100
    last = project.attempts()[-1]
    assert (last.revision, last.outcome) == (revision, Outcome.PASS)
    assert last.retry_reason == "the disk was busy"
    assert last.attempt == len(outcomes(project, revision)) > len(judged)
