"""A real supervisord with tiny programs."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tidegate.local.state_folder import StateFolder
from tidegate.local.supervision import ProcessState, Program, SupervisionError, Supervisor

pytestmark = pytest.mark.unit

DEADLINE_SECONDS = 20.0
SERVER = """
import os, sys, time
print("hello", *sys.argv[1:], flush=True)
open(sys.argv[1], "w").write("\\n".join(f"{k}={v}" for k, v in os.environ.items()))
time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """Below a path as a user may have one."""
    return StateFolder(tmp_path / "my project #1 100%")


@pytest.fixture
def supervisor(folder: StateFolder) -> Iterator[Supervisor]:
    supervisor = Supervisor(folder)
    yield supervisor
    supervisor.shut_down()


def server(tmp_path: Path, *arguments: str, name: str = "server", restart: bool = True) -> Program:
    report = str(tmp_path / f"{name}.environment")
    return Program(
        name,
        [sys.executable, "-c", SERVER, report, *arguments],
        {"COLOUR": "100% blue"},
        restart=restart,
        stop_seconds=5,
    )


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def state_of(supervisor: Supervisor, name: str = "server") -> ProcessState:
    state = supervisor.state(name)
    assert state is not None
    return state


def has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def daemon_pid(folder: StateFolder) -> int:
    return int((folder.supervisor / "supervisord.pid").read_text())


def test_a_program_is_started_adopted_and_replaced_when_its_command_changes(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    supervisor.start(server(tmp_path))
    first = state_of(supervisor)
    assert first.is_up
    assert first.pid > 0
    assert eventually(lambda: "hello" in supervisor.log_tail("server"))

    supervisor.start(server(tmp_path))
    assert state_of(supervisor).pid == first.pid

    supervisor.start(server(tmp_path, "again; and # again"))
    second = state_of(supervisor)
    assert second.is_up
    assert second.pid != first.pid
    assert has_ended(first.pid)
    assert eventually(lambda: "again; and # again" in supervisor.log_tail("server"))


def test_a_server_that_ends_is_started_again(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(server(tmp_path))
    first = state_of(supervisor).pid

    os.kill(first, signal.SIGKILL)

    assert eventually(lambda: state_of(supervisor).is_up and state_of(supervisor).pid != first)


def test_a_job_runs_once_and_its_exit_status_is_kept(supervisor: Supervisor) -> None:
    job = Program("job", [sys.executable, "-c", "raise SystemExit(3)"], restart=False)

    supervisor.start(job)

    assert eventually(lambda: state_of(supervisor, "job").state == "EXITED")
    assert state_of(supervisor, "job").exit_status == 3


def test_a_stopped_program_is_forgotten_and_may_be_stopped_again(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    supervisor.start(server(tmp_path))
    pid = state_of(supervisor).pid

    supervisor.stop("server")
    supervisor.stop("server")

    assert has_ended(pid)
    assert supervisor.state("server") is None


def test_programs_see_nothing_of_the_callers_environment_but_what_they_need(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    supervisor.start(server(tmp_path))
    report = tmp_path / "server.environment"

    assert eventually(lambda: report.exists() and "COLOUR" in report.read_text())

    assert "COLOUR=100% blue" in report.read_text()
    assert "PATH=" in report.read_text()
    assert "very-secret" not in report.read_text()


def test_shutting_down_leaves_no_process(
    supervisor: Supervisor, folder: StateFolder, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        supervisor.start(server(tmp_path, name=name))
    pids = [state_of(supervisor, name).pid for name in ("one", "two")]
    daemon = daemon_pid(folder)

    supervisor.shut_down()
    supervisor.shut_down()

    assert all(has_ended(pid) for pid in (*pids, daemon))
    assert not supervisor.is_running()
    assert supervisor.states() == {}
    assert not folder.socket.exists()


def test_programs_end_with_a_killed_supervisord_and_come_back_with_the_next_start(
    supervisor: Supervisor, folder: StateFolder, tmp_path: Path
) -> None:
    supervisor.start(server(tmp_path))
    pid, daemon = state_of(supervisor).pid, daemon_pid(folder)

    os.kill(daemon, signal.SIGKILL)

    assert eventually(lambda: has_ended(pid))
    assert eventually(lambda: not supervisor.is_running())
    supervisor.start(server(tmp_path))
    assert state_of(supervisor).is_up


def test_the_socket_is_open_to_its_owner_only(supervisor: Supervisor, folder: StateFolder) -> None:
    supervisor.ensure_running()

    assert folder.socket.stat().st_mode & 0o777 == 0o600


def test_a_program_that_supervisor_cannot_take_is_an_error(supervisor: Supervisor) -> None:
    with pytest.raises(SupervisionError, match="cannot|refuses"):
        supervisor.start(Program("bad", ["true"], stop_seconds="soon"))  # type: ignore[arg-type]


def test_without_a_log_the_tail_says_so(supervisor: Supervisor) -> None:
    assert supervisor.log_tail("never-started") == "(no log)"
