"""A real supervisord with tiny programs."""

import json
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

DEADLINE_SECONDS = 60.0
SECRET = "very-secret"  # noqa: S105  # a value to look for
SERVER = (
    "import os, sys, time, pathlib, json; print('hello', *sys.argv[1:], flush=True); "
    "pathlib.Path(sys.argv[1]).write_text(json.dumps(dict(os.environ))); time.sleep(600)"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> StateFolder:
    """Below a path as a user may have one."""
    return StateFolder(tmp_path_factory.mktemp("shared") / "my project 100%")


@pytest.fixture(scope="module")
def supervisor(folder: StateFolder) -> Iterator[Supervisor]:
    """One for all tests, because its end takes seconds; started where a secret can be seen."""
    supervisor = Supervisor(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        supervisor.ensure_running()
    yield supervisor
    daemon = daemon_pid(folder)
    os.kill(daemon, signal.SIGKILL)  # its programs end with it, see the test below
    assert eventually(lambda: has_ended(daemon))


def server(tmp_path: Path, *arguments: str, name: str = "server") -> Program:
    report = str(tmp_path / f"{name}.environment")
    return Program(
        name,
        [sys.executable, "-c", SERVER, report, *arguments],
        {"COLOUR": "100% blue"},
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

    supervisor.start(server(tmp_path, "again; and%s again"))
    second = state_of(supervisor)
    assert second.is_up
    assert second.pid != first.pid
    assert has_ended(first.pid)
    assert eventually(lambda: "again; and%s again" in supervisor.log_tail("server"))


def test_a_server_that_ends_is_started_again(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(server(tmp_path))
    first = state_of(supervisor).pid

    os.kill(first, signal.SIGKILL)

    assert eventually(lambda: state_of(supervisor).is_up and state_of(supervisor).pid != first)


def test_a_job_runs_once_and_its_exit_status_is_kept(supervisor: Supervisor) -> None:
    job = Program("job", [sys.executable, "-c", "raise SystemExit(3)"], restart="never")

    supervisor.start(job)

    assert eventually(lambda: state_of(supervisor, "job").state == "EXITED")
    assert state_of(supervisor, "job").exit_status == 3


def test_a_job_that_goes_on_is_started_again_until_it_has_ended_well(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    work = (
        "import os, sys, time, pathlib; pids = pathlib.Path(sys.argv[1]); "
        "pids.open('a').write(f'{os.getpid()}\\n'); first = len(pids.read_text().split()) == 1; "
        "time.sleep(600 if first else 1.2)"
    )
    command = [sys.executable, "-c", work, str(pids)]
    supervisor.start(Program("switch", command, restart="on-failure"))
    assert eventually(lambda: state_of(supervisor, "switch").state == "RUNNING")
    assert eventually(lambda: pids.exists() and pids.read_text().endswith("\n"))

    os.kill(state_of(supervisor, "switch").pid, signal.SIGKILL)

    assert eventually(lambda: len(pids.read_text().split()) == 2)
    assert eventually(lambda: state_of(supervisor, "switch").state == "EXITED")
    assert len(pids.read_text().split()) == 2


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
    supervisor: Supervisor, tmp_path: Path
) -> None:
    supervisor.start(server(tmp_path))
    report = tmp_path / "server.environment"

    assert eventually(lambda: report.exists() and report.read_text().endswith("}"))

    environment = json.loads(report.read_text())
    assert environment["COLOUR"] == "100% blue"
    assert environment["PATH"] == os.environ["PATH"]
    assert SECRET not in report.read_text()


def test_what_a_program_is_sent_reaches_it_and_is_written_nowhere(
    supervisor: Supervisor, folder: StateFolder, tmp_path: Path
) -> None:
    line = f'{{"name": "<{SECRET} & 100%>"}}\n'
    received = tmp_path / "received"
    code = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.stdin.readline())"
    command = [sys.executable, "-c", code, str(received)]
    supervisor.start(Program("reader", command, restart="never"))

    supervisor.send_line("reader", line)

    assert eventually(lambda: received.exists() and received.read_text() == line)
    written = [path.read_bytes() for path in folder.root.rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in each for each in written)


def test_shutting_down_leaves_no_process(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    supervisor = Supervisor(folder)
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
    tmp_path: Path,
) -> None:
    folder = StateFolder(tmp_path / "state")
    supervisor = Supervisor(folder)
    for _ in range(2):
        supervisor.start(server(tmp_path))
        assert state_of(supervisor).is_up
        pid = state_of(supervisor).pid

        os.kill(daemon_pid(folder), signal.SIGKILL)

        assert eventually(lambda pid=pid: has_ended(pid))  # type: ignore[misc]
        assert eventually(lambda: not supervisor.is_running())


def test_the_socket_is_open_to_its_owner_only(supervisor: Supervisor, folder: StateFolder) -> None:
    supervisor.ensure_running()

    assert folder.socket.stat().st_mode & 0o777 == 0o600


def test_a_program_that_supervisor_cannot_take_is_an_error_and_stands_in_nobodys_way(
    supervisor: Supervisor,
) -> None:
    with pytest.raises(SupervisionError, match="refuses its configuration"):
        supervisor.start(Program("bad", ["true"], stop_seconds="soon"))  # type: ignore[arg-type]

    supervisor.start(Program("good", [sys.executable, "-c", ""], restart="never"))
    assert supervisor.state("bad") is None
    assert supervisor.state("good") is not None


def test_a_path_that_supervisor_would_cut_short_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SupervisionError, match="move the project to a folder without them"):
        Supervisor(StateFolder(tmp_path / "project #1")).ensure_running()


def test_without_a_log_the_tail_says_so(supervisor: Supervisor) -> None:
    assert supervisor.log_tail("never-started") == "(no log)"
