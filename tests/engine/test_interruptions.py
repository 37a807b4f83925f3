"""Updates that are killed, interrupted, or run twice at once."""

import os
import signal
from collections.abc import Callable

import pytest

from tests.engine.harness.command import Command
from tests.engine.harness.load import BackgroundLoad
from tests.engine.harness.project import UNDECIDED, UNDECIDED_RETRIES, Project
from tests.engine.harness.waiting import wait_for
from tidegate.gate.verdict import Outcome

pytestmark = pytest.mark.engine

FAST, LONG = {"profile": "test"}, {"profile": "test-long"}


def kill_engine(_project: Project, update: Command) -> None:
    update.kill()


def kill_provider(_project: Project, update: Command) -> None:
    os.kill(wait_for("the provider", update.provider_pid), signal.SIGKILL)


def kill_servers(project: Project, _update: Command) -> None:
    for program in ("gateway", project.revision("1")):
        os.kill(project.pid(program), signal.SIGKILL)


# All of them at every point: the benchmark `kill_matrix`.
@pytest.mark.parametrize(
    ("kill", "then"),
    [
        (kill_engine, "up again"),
        pytest.param(kill_engine, "revert and up", marks=pytest.mark.extended),
        (kill_provider, "revert and up"),
        pytest.param(kill_servers, "up again", marks=pytest.mark.extended),
    ],
)
def test_kill_during_a_gate_ends_in_the_declared_state(
    project: Project,
    load_on: Callable[[Project], BackgroundLoad],
    kill: Callable[[Project, Command], None],
    then: str,
) -> None:
    name = project.new_release()
    old, new = project.revision("1"), project.revision(name)
    # A gate that is followed by the next update is waited for; one that is taken back is not.
    gate = LONG if then == "revert and up" else FAST
    project.declare_digits(name, standby="1", gate=gate)
    with load_on(project) as load:
        update = project.start_up()
        project.wait_for_gate(new)
        kill(project, update)
        update.wait()
        if kill is kill_engine:
            project.cancel()
        if then == "revert and up":
            project.declare_digits("1")
        project.up()

    expected = {old: 100} if then == "revert and up" else {new: 100, old: 0}
    assert project.weights() == expected
    assert project.servers() == set(expected)
    assert project.client().binary(project.client().example()).status == "200"
    assert not project.preview().changes
    if kill is kill_engine:
        # Pulumi warns of the interrupted create until somebody looks at it.
        project.refresh("--clear-pending-creates")
        assert "pending operations" not in project.up().output
    if kill is not kill_servers:
        assert load.report().failures == []


def test_ctrl_c_ends_the_gate_without_a_verdict(project: Project) -> None:
    name = project.new_release()
    old, new = project.revision("1"), project.revision(name)
    project.declare_digits(name, standby="1", gate=LONG)
    before = len(project.attempts())
    update = project.start_up()
    project.wait_for_gate(new)
    update.interrupt()
    run = update.wait(timeout=60)
    assert not run.succeeded
    assert "Traceback" not in run.output
    assert "cancelled" in run.output
    assert len(project.attempts()) == before
    assert project.weights()[old] == 100
    assert not project.local.gates.is_running(new)

    project.declare_digits(name, standby="1")
    project.up()
    assert project.weights()[new] == 100
    assert project.attempts()[-1].outcome is Outcome.PASS


def test_of_two_updates_at_once_one_wins_and_the_other_says_why(project: Project) -> None:
    for _ in range(UNDECIDED_RETRIES):
        name = project.new_release()
        project.declare_digits(name, standby="1")
        first = project.start_up()
        # As early as can be: the second one has to find the first one at work.
        wait_for_server(project, project.revision(name))
        second = project.start_up().wait()
        assert not second.succeeded
        assert "locked" in second.output
        assert "Traceback" not in second.output
        run = first.wait()
        if UNDECIDED not in run.output:
            break
    assert run.succeeded, run.output
    assert project.weights()[project.revision(name)] == 100


def wait_for_server(project: Project, revision: str) -> None:
    wait_for(f"a server for {revision}", lambda: project.local.slots.record(revision), 120)
